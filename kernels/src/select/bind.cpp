// Python registration of the kernels that order, search and accumulate elements.
#include <array>

#include "core/methods.h"

namespace linnet {
namespace {

// (outer, length, inner).
using Sizes = std::array<int64_t, 3>;

Lines lines_of(const Sizes& sizes) { return {sizes[0], sizes[1], sizes[2]}; }

Cost per_element(const Lines& lines, double nanoseconds) {
  return {static_cast<double>(lines.outer * lines.length * lines.inner) * nanoseconds, 0};
}

int add_top_k(Program& program, uintptr_t x, uintptr_t values, uintptr_t places, const Sizes& sizes,
              int64_t k, NumberType type, bool largest, bool wide) {
  const TopKParams p = {lines_of(sizes),  k,    at<const void>(x), at<void>(values),
                        at<void>(places), type, largest,           wide};
  Cost cost = per_element(p.lines, 5.0);
  cost.scratch = static_cast<size_t>(k + 1) * sizeof(Ranked);
  return program.add(Kernel::top_k, p, cost);
}

int add_cumulate(Program& program, uintptr_t x, uintptr_t y, const Sizes& sizes, NumberType type,
                 bool exclusive, bool reverse, bool product) {
  const CumulateParams p = {lines_of(sizes), at<const void>(x), at<void>(y), type,
                            exclusive,       reverse,           product};
  return program.add(Kernel::cumulate, p, per_element(p.lines, 2.0));
}

int add_arg_lines(Program& program, uintptr_t x, uintptr_t y, const Sizes& sizes, NumberType type,
                  bool largest, bool last, bool wide) {
  const ArgLinesParams p = {
      lines_of(sizes), at<const void>(x), at<void>(y), type, largest, last, wide};
  return program.add(Kernel::arg_lines, p, per_element(p.lines, 1.5));
}

int add_reduce(Program& program, int fold, uintptr_t x, uintptr_t y,
               const std::array<int64_t, 5>& sizes, NumberType type, bool mean) {
  const ReduceWholeParams p = {sizes[0],    sizes[1], sizes[2],
                               sizes[3],    sizes[4], at<const void>(x),
                               at<void>(y), type,     static_cast<Fold>(fold),
                               mean};
  const int64_t count = sizes[0] * sizes[1] * sizes[2] * sizes[3] * sizes[4];
  return program.add(Kernel::reduce_whole, p, Cost{static_cast<double>(count), 0});
}

}  // namespace

void bind_select(Methods& program) {
  program.def("top_k", add_top_k)
      .def("cumulate", add_cumulate)
      .def("arg_lines", add_arg_lines)
      .def("reduce_whole", add_reduce);
}

}  // namespace linnet
