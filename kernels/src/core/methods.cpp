// Reads Python's arguments for the kernels' registrations.
#include "core/methods.h"

#include <Python.h>

#include <cstdlib>
#include <deque>
#include <exception>
#include <stdexcept>

namespace linnet {
namespace {

constexpr const char* kCapsule = "linnet.method";
constexpr const char* kMemory = "linnet.memory";

struct Entry {
  Method method;
  PyMethodDef definition;
  size_t number;
};

// The interpreter keeps pointers to definitions as long as it lives.
std::deque<Entry>& entries() {
  static auto* all = new std::deque<Entry>();
  return *all;
}

// Puts a call on a program's tape, where it has one, unless the call adds no step.
class Recording {
 public:
  Recording(Program& program, size_t number) : program_(program), steps_(program.size()) {
    if (program.tape() == nullptr) return;
    start_ = program.tape()->size();
    program.tape()->put_word(number);
  }
  ~Recording() {
    if (program_.tape() != nullptr && program_.size() == steps_) program_.tape()->cut(start_);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  Program& program_;
  int steps_;
  size_t start_ = 0;
};

[[noreturn]] void raise(PyObject* kind, const std::string& text) {
  PyErr_SetString(kind, text.c_str());
  throw PythonError{};
}

// Fills the parameters' places, positions first, then names.
void place_arguments(const Method& method, PyObject* const* given, size_t positions,
                     PyObject* names, std::vector<PyObject*>& values) {
  const std::string who = method.name;
  if (positions > method.count) raise(PyExc_TypeError, who + ": too many arguments");
  for (size_t i = 0; i < positions; ++i) values[i] = given[i];
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t n = 0; n < named; ++n) {
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, n));
    if (name == nullptr) throw PythonError{};
    size_t place = 0;
    for (; place < method.parameters.size(); ++place) {
      std::string parameter = method.parameters[place];
      if (!parameter.empty() && parameter.back() == '?') parameter.pop_back();
      if (parameter == name) break;
    }
    if (place == method.parameters.size()) {
      raise(PyExc_TypeError, who + ": no parameter is called " + name);
    }
    if (values[place] != nullptr) raise(PyExc_TypeError, who + ": " + name + " is given twice");
    values[place] = given[positions + static_cast<size_t>(n)];
  }
  for (size_t i = 0; i < method.count; ++i) {
    if (values[i] != nullptr) continue;
    const std::string parameter = i < method.parameters.size() ? method.parameters[i] : "";
    if (parameter.empty() || parameter.back() != '?') {
      raise(PyExc_TypeError,
            who + ": argument " + std::to_string(i) + " (" + parameter + ") is missing");
    }
  }
}

PyObject* call_entry(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  const auto* entry = static_cast<const Entry*>(PyCapsule_GetPointer(self, kCapsule));
  if (entry == nullptr) return nullptr;
  try {
    if (count < 1) raise(PyExc_TypeError, "a kernel is added to a program");
    std::vector<PyObject*> values(entry->method.count, nullptr);
    place_arguments(entry->method, given + 1, static_cast<size_t>(count - 1), names, values);
    Program& program = program_of(given[0]);
    const Recording recording(program, entry->number);
    return entry->method.call(entry->method.function, program, values.data());
  } catch (const PythonError&) {
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

}  // namespace

int64_t read_integer(PyObject* value, int64_t least, int64_t most) {
  PyObject* integer = PyNumber_Index(value);
  if (integer == nullptr) throw PythonError{};
  const int64_t read = PyLong_AsLongLong(integer);
  Py_DECREF(integer);
  if (read == -1 && PyErr_Occurred() != nullptr) throw PythonError{};
  if (read < least || read > most) {
    raise(PyExc_OverflowError, std::to_string(read) + " is outside " + std::to_string(least) +
                                   ".." + std::to_string(most));
  }
  return read;
}

uint64_t read_address(PyObject* value) {
  PyObject* integer = PyNumber_Index(value);
  if (integer == nullptr) throw PythonError{};
  const uint64_t read = PyLong_AsUnsignedLongLong(integer);
  Py_DECREF(integer);
  if (read == static_cast<uint64_t>(-1) && PyErr_Occurred() != nullptr) throw PythonError{};
  return read;
}

double read_real(PyObject* value) {
  const double read = PyFloat_AsDouble(value);
  if (read == -1.0 && PyErr_Occurred() != nullptr) throw PythonError{};
  return read;
}

bool read_flag(PyObject* value) {
  const int read = PyObject_IsTrue(value);
  if (read < 0) throw PythonError{};
  return read != 0;
}

std::string read_text(PyObject* value) {
  if (!PyUnicode_Check(value)) raise(PyExc_TypeError, "expected a str");
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(value, &length);
  if (text == nullptr) throw PythonError{};
  return std::string(text, static_cast<size_t>(length));
}

NumberType number_type(const std::string& name) {
#define LINNET_NAMED(type_name, type) \
  if (name == #type_name) return NumberType::type_name##_;
  LINNET_NUMBER_TYPES(LINNET_NAMED)
#undef LINNET_NAMED
  throw std::invalid_argument("no kernel for elements of " + name);
}

Items::Items(PyObject* value, int64_t expected)
    : sequence_(PySequence_Fast(value, "expected a list or a tuple")), size_(0) {
  if (sequence_ == nullptr) throw PythonError{};
  size_ = static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence_));
  if (expected >= 0 && size_ != static_cast<size_t>(expected)) {
    Py_DECREF(sequence_);
    raise(PyExc_ValueError,
          "expected " + std::to_string(expected) + " items, found " + std::to_string(size_));
  }
}

Items::~Items() { Py_DECREF(sequence_); }

PyObject* Items::operator[](size_t i) const {
  return PySequence_Fast_GET_ITEM(sequence_, static_cast<Py_ssize_t>(i));
}

Buffer::Buffer(PyObject* value, size_t item, bool real) : view_(new Py_buffer{}) {
  auto* view = static_cast<Py_buffer*>(view_.get());
  if (PyObject_GetBuffer(value, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) throw PythonError{};
  const std::string format = view->format == nullptr ? "B" : view->format;
  const bool is_real = format.back() == 'f' || format.back() == 'd';
  const bool is_native = format.size() == 1 || format[0] == '<' || format[0] == '=';
  if (!is_native || static_cast<size_t>(view->itemsize) != item || is_real != real) {
    raise(PyExc_TypeError, "an array of format " + format + " where values of " +
                               std::to_string(item) + " bytes were expected");
  }
}

const void* Buffer::data() const { return static_cast<const Py_buffer*>(view_.get())->buf; }

size_t Buffer::bytes() const {
  return static_cast<size_t>(static_cast<const Py_buffer*>(view_.get())->len);
}

void Buffer::Release::operator()(void* view) const {
  PyBuffer_Release(static_cast<Py_buffer*>(view));
  delete static_cast<Py_buffer*>(view);
}

PyObject* to_python() { Py_RETURN_NONE; }

PyObject* to_python(int64_t value) { return PyLong_FromLongLong(value); }

PyObject* to_python(const std::vector<int64_t>& values) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(values.size()));
  if (tuple == nullptr) throw PythonError{};
  for (size_t i = 0; i < values.size(); ++i) {
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(values[i]));
  }
  return tuple;
}

PyObject* to_python(AlignedBytes memory) {
  PyObject* capsule = PyCapsule_New(memory.get(), kMemory, [](PyObject* owner) {
    std::free(PyCapsule_GetPointer(owner, kMemory));
  });
  if (capsule == nullptr) throw PythonError{};
  memory.release();
  return capsule;
}

void replay(Program& program, TapeReader& reader) {
  while (!reader.ended()) {
    const size_t number = static_cast<size_t>(reader.take_word());
    if (number >= entries().size() || entries()[number].method.replay == nullptr) {
      throw std::invalid_argument("a tape names no method");
    }
    const Method& method = entries()[number].method;
    method.replay(method.function, program, reader);
  }
}

void Methods::add(Method method) {
  const size_t number = entries().size();
  Entry& entry = entries().emplace_back();
  entry.method = std::move(method);
  entry.number = number;
  const auto function = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_entry));
  entry.definition = {entry.method.name, function, METH_FASTCALL | METH_KEYWORDS, entry.method.doc};
  PyObject* self = PyCapsule_New(&entry, kCapsule, nullptr);
  PyObject* plain = self == nullptr ? nullptr : PyCFunction_NewEx(&entry.definition, self, nullptr);
  PyObject* bound = plain == nullptr ? nullptr : PyInstanceMethod_New(plain);
  if (bound != nullptr && entry.method.is_property) {
    PyObject* property =
        PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PyProperty_Type), plain, nullptr);
    Py_DECREF(bound);
    bound = property;
  }
  if (bound == nullptr || PyObject_SetAttrString(type_, entry.method.name, bound) != 0) {
    throw PythonError{};
  }
  Py_DECREF(self);
  Py_DECREF(plain);
  Py_DECREF(bound);
}

}  // namespace linnet
