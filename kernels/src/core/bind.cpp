// The _core module: programs, the kernel table, what the CPU offers.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "core/api.h"
#include "core/checksum.h"
#include "core/cpu.h"
#include "core/methods.h"

namespace py = pybind11;

namespace linnet {

void bind_attention(Methods& program);
void bind_depthwise(Methods& program);
void bind_elementwise(Methods& program);
void bind_float(Methods& program);
void bind_flow(Methods& program);
void bind_int16(Methods& program);
void bind_int8(Methods& program);
void bind_linear(Methods& program);
void bind_move(Methods& program);
void bind_norm(Methods& program);
void bind_peak(Methods& program);
void bind_recurrent(Methods& program);
void bind_reduce(Methods& program);
void bind_select(Methods& program);
void bind_sparse(Methods& program);
void bind_trees(Methods& program);

Program& program_of(PyObject* object) { return py::cast<Program&>(py::handle(object)); }

namespace {

// Every family of kernels.
constexpr void (*kFamilies[])(Methods&) = {
    bind_attention, bind_depthwise, bind_elementwise, bind_float, bind_flow, bind_int16,
    bind_int8,      bind_linear,    bind_move,        bind_norm,  bind_peak, bind_recurrent,
    bind_reduce,    bind_select,    bind_sparse,      bind_trees};

int run_program(void* program, int* at, int end) {
  return static_cast<int>(static_cast<Program*>(program)->run(*at, end));
}

// Returns -1, or the step that met bad data or is the caller's to do.
int run_all(Program& program, int begin, int end) {
  int at = begin;
  const int last = end < 0 ? program.size() : end;
  for (;;) {
    Outcome outcome;
    {
      py::gil_scoped_release release;
      outcome = program.run(at, last);
    }
    if (outcome != kPaused) return outcome == kDone ? -1 : at;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

const ProgramApi kApi = {kProgramApi, run_program};

py::list kernel_rows() {
  py::list rows;
  for (int i = 0; i < static_cast<int>(Kernel::count); ++i) {
    rows.append(kernel_name(static_cast<Kernel>(i)));
  }
  return rows;
}

py::list available_isas() {
  py::list names;
  for (size_t i = 0; i < isa_names().size(); ++i) {
    if (isa_supported(static_cast<int>(i))) names.append(isa_names()[i]);
  }
  return names;
}

py::list program_steps(const Program& program) {
  py::list steps;
  for (int i = 0; i < program.size(); ++i) {
    const Kernel kernel = program.kernel(i);
    const char* name = kernel == Kernel::count ? "flow" : kernel_name(kernel);
    steps.append(py::make_tuple(name, program.step_threads(i)));
  }
  return steps;
}

using Regions = std::vector<std::pair<uintptr_t, uint64_t>>;

// What `record` recorded, with addresses as places in regions; see tape.h.
py::tuple taped(const Program& program, const Regions& given) {
  if (program.tape() == nullptr) throw std::invalid_argument("this program records nothing");
  std::vector<Region> regions;
  for (const auto& [start, bytes] : given) regions.push_back({start, bytes});
  const std::vector<uint64_t> words = program.tape()->placed(regions);
  py::list used;
  for (const Region& region : regions) used.append(region.used);
  const auto* bytes = reinterpret_cast<const char*>(words.data());
  return py::make_tuple(py::bytes(bytes, words.size() * sizeof(uint64_t)), used);
}

void replay_tape(Program& program, const py::buffer& tape, const std::vector<uintptr_t>& bases) {
  const py::buffer_info info = tape.request();
  const auto address = reinterpret_cast<uintptr_t>(info.ptr);
  const auto bytes = static_cast<size_t>(info.size * info.itemsize);
  if (address % sizeof(uint64_t) != 0 || bytes % sizeof(uint64_t) != 0) {
    throw std::invalid_argument("a tape is whole words");
  }
  TapeReader reader(static_cast<const uint64_t*>(info.ptr), bytes / sizeof(uint64_t), bases);
  replay(program, reader);
}

}  // namespace
}  // namespace linnet

PYBIND11_MODULE(_core, module) {
  using namespace linnet;
  module.doc() = "C++ core of linnet: programs of kernels, run-time dispatch, the thread pool.";
  py::class_<Arena, std::shared_ptr<Arena>>(module, "Arena")
      .def(py::init<size_t>(), py::arg("bytes"))
      .def_property_readonly("bytes", &Arena::bytes);
  py::class_<Program> program(module, "Program");
  program
      .def(py::init([](size_t arena_bytes, const std::string& isa, int threads) {
             return std::make_unique<Program>(std::make_shared<Arena>(arena_bytes), isa, threads);
           }),
           py::arg("arena_bytes"), py::arg("isa") = "", py::arg("threads") = 1)
      .def(py::init<std::shared_ptr<Arena>, const std::string&, int>(), py::arg("arena"),
           py::arg("isa") = "", py::arg("threads") = 1)
      .def("run", run_all, py::arg("begin") = 0, py::arg("end") = -1)
      .def("record", &Program::record, "Let calls that add steps go on a tape from now on.")
      .def("tape", taped, py::arg("regions"),
           "What was recorded, with addresses as places in regions of (start, bytes), which are "
           "in order and apart, and which of them are used; ValueError where one leads elsewhere.")
      .def("replay", replay_tape, py::arg("tape"), py::arg("bases"),
           "Add the steps of a tape whose regions start at `bases`.")
      .def("profile", &Program::profile, py::arg("on"))
      .def("force_threads", &Program::force_threads, py::arg("threads"))
      .def("__len__", &Program::size)
      .def_property_readonly("arena", &Program::arena)
      .def_property_readonly("arena_bytes", &Program::arena_bytes)
      .def_property_readonly("scratch_bytes", &Program::scratch_bytes)
      .def_property_readonly("threads", &Program::threads)
      .def_property_readonly("times", &Program::times)
      .def_property_readonly("starts", &Program::starts)
      .def_property_readonly("elapsed", &Program::elapsed)
      .def_property_readonly("began", &Program::began)
      .def_property_readonly("ended", &Program::ended)
      .def_property_readonly("steps", program_steps)
      .def_property_readonly("isa", &Program::isa_name)
      .def_property_readonly("handle", [](Program& self) {
        return py::capsule(static_cast<void*>(&self), "linnet.Program");
      });
  Methods methods(program.ptr());
  for (const auto bind : kFamilies) bind(methods);
  module.def("kernel_rows", kernel_rows);
  module.def("isa_names", isa_names);
  module.def("available_isas", available_isas);
  module.def("default_isa", [] { return isa_names()[static_cast<size_t>(default_isa())]; });
  module.def("cpu_features", cpu_features);
  module.def("usable_cpus", usable_cpus);
  module.def(
      "checksum",
      [](uintptr_t data, size_t bytes) {
        return checksum(reinterpret_cast<const void*>(data), bytes);
      },
      py::arg("data"), py::arg("bytes"), "64 bits that show whether bytes at an address changed.");
  module.attr("program_api") = py::capsule(static_cast<const void*>(&kApi), "linnet.ProgramApi");
}
