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

// Entries of a heap and kept boxes of five floats.
size_t box_scratch(int64_t count, int64_t kept) {
  return static_cast<size_t>(count + 1) * sizeof(Ranked) + static_cast<size_t>(kept + 1) * 20;
}

Reals reals_of(uintptr_t data, NumberType type, float scale, int32_t zero) {
  return {at<const void>(data), type, scale, zero};
}

// `kinds`, `factors` and `zeros` describe boxes, scores and anchors; `sizes` are count, width,
// columns, classes, `limits` detections, classes and detections of one class.
int add_detections(Program& program, const std::array<uintptr_t, 3>& inputs,
                   const std::array<NumberType, 3>& kinds, const std::array<float, 3>& factors,
                   const std::array<int32_t, 3>& zeros, const std::array<uintptr_t, 4>& outputs,
                   const std::array<int64_t, 4>& sizes, const std::array<double, 4>& scales,
                   const std::array<float, 2>& thresholds, const std::array<int64_t, 3>& limits,
                   bool per_class) {
  const DetectionParams p = {reals_of(inputs[0], kinds[0], factors[0], zeros[0]),
                             reals_of(inputs[1], kinds[1], factors[1], zeros[1]),
                             reals_of(inputs[2], kinds[2], factors[2], zeros[2]),
                             sizes[0],
                             sizes[1],
                             sizes[2],
                             sizes[3],
                             at<float>(outputs[0]),
                             at<float>(outputs[1]),
                             at<float>(outputs[2]),
                             at<float>(outputs[3]),
                             {scales[0], scales[1], scales[2], scales[3]},
                             thresholds[0],
                             thresholds[1],
                             limits[0],
                             limits[1],
                             limits[2],
                             per_class};
  const int64_t kept = limits[0] > limits[2] ? limits[0] : limits[2];
  return program.add(Kernel::detections, p, Cost{0, box_scratch(sizes[0], kept)});
}

int add_suppression(Program& program, uintptr_t boxes, uintptr_t scores, uintptr_t overlap,
                    uintptr_t least, uintptr_t rows, uintptr_t found, int64_t count, int64_t most) {
  const SuppressionParams p = {at<const float>(boxes),
                               at<const float>(scores),
                               at<const float>(overlap),
                               at<const float>(least),
                               at<int32_t>(rows),
                               at<int32_t>(found),
                               count,
                               most};
  return program.add(Kernel::suppression, p, Cost{0, box_scratch(count, most)});
}

// `ends` are boxes, scores, overlap, least (0 where absent), rows and their number; `sizes`
// batches, classes, boxes, the most of a class and the rows that there is room for.
int add_class_suppression(Program& program, const std::array<uintptr_t, 6>& ends,
                          const std::array<int64_t, 5>& sizes, bool center) {
  const ClassSuppressionParams p = {at<const float>(ends[0]),
                                    at<const float>(ends[1]),
                                    at<const float>(ends[2]),
                                    at<const float>(ends[3]),
                                    at<int64_t>(ends[4]),
                                    at<int64_t>(ends[5]),
                                    sizes[0],
                                    sizes[1],
                                    sizes[2],
                                    sizes[3],
                                    sizes[4],
                                    center};
  return program.add(Kernel::class_suppression, p, Cost{0, box_scratch(sizes[2], sizes[3])});
}

}  // namespace

void bind_select(Methods& program) {
  program.def("top_k", add_top_k)
      .def("cumulate", add_cumulate)
      .def("arg_lines", add_arg_lines)
      .def("reduce_whole", add_reduce)
      .def("detections", add_detections)
      .def("suppression", add_suppression)
      .def("class_suppression", add_class_suppression);
}

}  // namespace linnet
