// Registers kernels as methods of Program. Families include this instead of pybind11, whose
// templates cost half a second for each function that they wrap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/numbers.h"
#include "core/params.h"
#include "core/program.h"
#include "core/tape.h"

typedef struct _object PyObject;

namespace linnet {

// An address handed over by Python as a typed pointer.
template <class T>
T* at(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

// Thrown when the interpreter holds the error.
struct PythonError {};

// Each throws PythonError unless the object is what its name says and within the bounds.
int64_t read_integer(PyObject* value, int64_t least, int64_t most);
uint64_t read_address(PyObject* value);
double read_real(PyObject* value);
bool read_flag(PyObject* value);
std::string read_text(PyObject* value);

// The items of a list or tuple, held until the end of the reader's life.
class Items {
 public:
  // `expected` is -1 where any number will do.
  Items(PyObject* value, int64_t expected);
  ~Items();
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;
  size_t size() const { return size_; }
  PyObject* operator[](size_t i) const;

 private:
  PyObject* sequence_;
  size_t size_;
};

template <class T>
struct Reader {
  static T read(PyObject* value) {
    if constexpr (std::is_same_v<T, bool>) {
      return read_flag(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(read_real(value));
    } else if constexpr (std::is_same_v<T, std::string>) {
      return read_text(value);
    } else if constexpr (std::is_same_v<T, uintptr_t> || std::is_same_v<T, uint64_t>) {
      return static_cast<T>(read_address(value));
    } else {
      static_assert(std::is_integral_v<T>, "no reader of this type");
      using Limits = std::numeric_limits<T>;
      return static_cast<T>(read_integer(value, Limits::min(), Limits::max()));
    }
  }
};

// Throws std::invalid_argument for a name that is none of these.
NumberType number_type(const std::string& name);

template <>
struct Reader<NumberType> {
  static NumberType read(PyObject* value) { return number_type(read_text(value)); }
};

template <class T, size_t N>
struct Reader<std::array<T, N>> {
  static std::array<T, N> read(PyObject* value) {
    const Items items(value, static_cast<int64_t>(N));
    std::array<T, N> read{};
    for (size_t i = 0; i < N; ++i) read[i] = Reader<T>::read(items[i]);
    return read;
  }
};

template <class A, class B>
struct Reader<std::pair<A, B>> {
  static std::pair<A, B> read(PyObject* value) {
    const Items items(value, 2);
    A first = Reader<A>::read(items[0]);
    return {std::move(first), Reader<B>::read(items[1])};
  }
};

template <class T>
struct Reader<std::vector<T>> {
  static std::vector<T> read(PyObject* value) {
    const Items items(value, -1);
    std::vector<T> read;
    read.reserve(items.size());
    for (size_t i = 0; i < items.size(); ++i) read.push_back(Reader<T>::read(items[i]));
    return read;
  }
};

// What an object's buffer holds, for as long as this lives: contiguous values of one size.
class Buffer {
 public:
  Buffer(PyObject* value, size_t item, bool real);
  const void* data() const;
  size_t bytes() const;

 private:
  struct Release {
    void operator()(void* view) const;
  };
  std::unique_ptr<void, Release> view_;
};

// Values of an array; reading fails for another type or layout. What comes from a tape stays there.
template <class T>
class Values {
 public:
  Values() = default;
  explicit Values(PyObject* value)
      : buffer_(std::in_place, value, sizeof(T), std::is_floating_point_v<T>),
        data_(static_cast<const T*>(buffer_->data())),
        bytes_(buffer_->bytes()) {}
  Values(const void* data, size_t bytes) : data_(static_cast<const T*>(data)), bytes_(bytes) {}
  const T* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::optional<Buffer> buffer_;
  const T* data_ = nullptr;
  size_t bytes_ = 0;
};

template <class T>
struct Taped<Values<T>> {
  static void put(Tape& tape, const Values<T>& values) {
    tape.put_bytes(values.data(), values.bytes());
  }
  static Values<T> take(TapeReader& reader) {
    size_t bytes = 0;
    const void* data = reader.take_bytes(bytes);
    return Values<T>(data, bytes);
  }
};

template <class T>
struct Reader<Values<T>> {
  static Values<T> read(PyObject* value) { return Values<T>(value); }
};

PyObject* to_python();
PyObject* to_python(int64_t value);
PyObject* to_python(const std::vector<int64_t>& values);
PyObject* to_python(AlignedBytes memory);

template <class T>
T read_or_zero(PyObject* value) {
  return value == nullptr ? T{} : Reader<T>::read(value);
}

// Calls with arguments that Python gave, which a program that records puts on its tape.
template <class R, class... A, size_t... I>
PyObject* call_method(R (*function)(Program&, A...), Program& program, PyObject* const* values,
                      std::index_sequence<I...>) {
  // The braces make the order of reading that of the parameters.
  std::tuple<std::decay_t<A>...> read{read_or_zero<std::decay_t<A>>(values[I])...};
  if (Tape* tape = program.tape()) (tape->put(std::get<I>(read)), ...);
  if constexpr (std::is_void_v<R>) {
    function(program, std::get<I>(read)...);
    return to_python();
  } else {
    return to_python(function(program, std::get<I>(read)...));
  }
}

// Calls with arguments from a tape; the program keeps memory that the method returns.
template <class R, class... A>
void replay_method(R (*function)(Program&, A...), Program& program, TapeReader& reader) {
  std::tuple<std::decay_t<A>...> read{reader.take<std::decay_t<A>>()...};
  const auto call = [&](auto&... arguments) { return function(program, arguments...); };
  if constexpr (std::is_same_v<R, AlignedBytes>) {
    program.keep(std::apply(call, read));
  } else {
    std::apply(call, read);
  }
}

struct Method {
  const char* name;
  const char* doc;
  bool is_property;
  // Names of the parameters, none when they go by position; "x?" may be left out and is then zero.
  std::vector<const char*> parameters;
  size_t count;
  void (*function)();
  PyObject* (*call)(void (*function)(), Program& program, PyObject* const* values);
  void (*replay)(void (*function)(), Program& program, TapeReader& reader);
};

// Adds what a tape says to a program; throws std::invalid_argument where it cannot be read.
void replay(Program& program, TapeReader& reader);

// Adds methods to the Python class of programs.
class Methods {
 public:
  explicit Methods(PyObject* type) : type_(type) {}

  template <class R, class... A>
  Methods& def(const char* name, R (*function)(Program&, A...),
               std::initializer_list<const char*> parameters = {}, const char* doc = "") {
    add({name, doc, false, parameters, sizeof...(A), reinterpret_cast<void (*)()>(function),
         call<R, A...>, replayed<R, A...>});
    return *this;
  }

  template <class R>
  Methods& def_property(const char* name, R (*function)(Program&), const char* doc = "") {
    add({name, doc, true, {}, 0, reinterpret_cast<void (*)()>(function), call<R>, nullptr});
    return *this;
  }

 private:
  template <class R, class... A>
  static PyObject* call(void (*erased)(), Program& program, PyObject* const* values) {
    return call_method(reinterpret_cast<R (*)(Program&, A...)>(erased), program, values,
                       std::index_sequence_for<A...>());
  }

  template <class R, class... A>
  static void replayed(void (*erased)(), Program& program, TapeReader& reader) {
    replay_method(reinterpret_cast<R (*)(Program&, A...)>(erased), program, reader);
  }

  void add(Method method);

  PyObject* type_;
};

// The program behind a Python object; throws when it is none.
Program& program_of(PyObject* object);

}  // namespace linnet
