// Python registration of the move kernels.
#include <array>
#include <stdexcept>
#include <vector>

#include "core/methods.h"

namespace linnet {
namespace {

// (size, source stride, target stride) per axis, slowest first.
using Axes = std::vector<std::array<int64_t, 3>>;

MoveAxes as_axes(const Axes& given) {
  if (given.size() > kMoveRank) throw std::invalid_argument("more than 8 axes to move over");
  MoveAxes axes = {};
  axes.rank = static_cast<int>(given.size());
  for (size_t k = 0; k < given.size(); ++k) {
    axes.size[k] = given[k][0];
    axes.source_stride[k] = given[k][1];
    axes.target_stride[k] = given[k][2];
  }
  return axes;
}

double total(const MoveAxes& axes) {
  double count = 1;
  for (int k = 0; k < axes.rank; ++k) count *= static_cast<double>(axes.size[k]);
  return count;
}

// Short runs cost their loop, long ones their bytes.
double copy_time(double runs, double bytes) { return 20 + runs * (0.5 + 0.06 * bytes); }

int copy_strided(Program& program, uintptr_t source, uintptr_t target, int64_t run,
                 const Axes& axes) {
  const CopyParams p = {at<const uint8_t>(source), at<uint8_t>(target), run, as_axes(axes)};
  return program.add(Kernel::copy_strided, p,
                     {copy_time(total(p.axes), static_cast<double>(run)), 0});
}

int copy_numbered(Program& program, uintptr_t source, uintptr_t target, int64_t run,
                  const Axes& axes, uintptr_t number, int64_t source_step, int64_t target_step) {
  const CopyParams copy = {at<const uint8_t>(source), at<uint8_t>(target), run, as_axes(axes)};
  const CopyNumberedParams p = {copy, at<const int64_t>(number), source_step, target_step};
  return program.add(Kernel::copy_numbered, p,
                     {copy_time(total(copy.axes), static_cast<double>(run)), 0});
}

int fill_strided(Program& program, uintptr_t target, int64_t run, int64_t pattern,
                 const Axes& axes) {
  const FillParams p = {at<uint8_t>(target), run, static_cast<uint64_t>(pattern), as_axes(axes)};
  return program.add(Kernel::fill_strided, p,
                     {copy_time(total(p.axes), static_cast<double>(run)), 0});
}

int transpose_2d(Program& program, uintptr_t source, uintptr_t target, int element, int64_t rows,
                 int64_t columns, int64_t source_stride, int64_t target_stride, const Axes& axes) {
  const TransposeParams p = {at<const uint8_t>(source),
                             at<uint8_t>(target),
                             element,
                             rows,
                             columns,
                             source_stride,
                             target_stride,
                             as_axes(axes)};
  const double bytes = total(p.axes) * static_cast<double>(rows * columns * element);
  return program.add(Kernel::transpose_2d, p, {20 + 0.2 * bytes, 0});
}

int gather_runs(Program& program, uintptr_t source, uintptr_t target, uintptr_t indices, bool wide,
                bool batched, int64_t batches, int64_t middle, int64_t count, int64_t extent,
                int64_t run) {
  const GatherParams p = {at<const uint8_t>(source),
                          at<uint8_t>(target),
                          at<const void>(indices),
                          wide,
                          batched,
                          batches,
                          middle,
                          count,
                          extent,
                          run};
  const double runs = static_cast<double>(batches * middle * count);
  return program.add(Kernel::gather_runs, p,
                     {copy_time(4 * runs, static_cast<double>(run) / 4), 0});
}

// (extent, byte stride) per entry of a tuple.
using Places = std::vector<std::array<int64_t, 2>>;

IndexTuplesParams tuples_of(uintptr_t source, uintptr_t target, uintptr_t indices, bool wide,
                            const Places& places, int64_t batches, int64_t count, int64_t run,
                            int64_t batch_stride) {
  if (places.size() > kMoveRank) throw std::invalid_argument("index tuples of more than 8");
  IndexTuplesParams p = {at<const uint8_t>(source),
                         at<uint8_t>(target),
                         at<const void>(indices),
                         wide,
                         static_cast<int>(places.size()),
                         batches,
                         count,
                         run,
                         batch_stride,
                         {},
                         {}};
  for (size_t d = 0; d < places.size(); ++d) {
    p.extent[d] = places[d][0];
    p.stride[d] = places[d][1];
  }
  return p;
}

template <Kernel kKernel>
int index_tuples(Program& program, uintptr_t source, uintptr_t target, uintptr_t indices, bool wide,
                 const Places& places, int64_t batches, int64_t count, int64_t run,
                 int64_t batch_stride) {
  const IndexTuplesParams p =
      tuples_of(source, target, indices, wide, places, batches, count, run, batch_stride);
  const double runs = static_cast<double>(batches * count);
  const double bytes = static_cast<double>(run) / 4;
  const bool splits = kKernel == Kernel::gather_nd;
  return program.add(kKernel, p, {splits ? copy_time(4 * runs, bytes) : 0, 0});
}

int combine_nd(Program& program, uintptr_t source, uintptr_t target, uintptr_t indices, bool wide,
               const Places& places, int64_t batches, int64_t count, int64_t run,
               int64_t batch_stride, NumberType type, int combine) {
  const CombineTuplesParams p = {
      tuples_of(source, target, indices, wide, places, batches, count, run, batch_stride), type,
      static_cast<Combine>(combine)};
  return program.add(Kernel::combine_nd, p, Cost{});
}

int scatter_elements(Program& program, uintptr_t source, uintptr_t target, uintptr_t indices,
                     bool wide, int32_t element, NumberType type, int combine, int64_t extent,
                     int64_t index_stride, const Axes& axes) {
  const ScatterElementsParams p = {at<const void>(source),
                                   at<void>(target),
                                   at<const void>(indices),
                                   wide,
                                   element,
                                   type,
                                   static_cast<Combine>(combine),
                                   extent,
                                   index_stride,
                                   as_axes(axes)};
  return program.add(Kernel::scatter_elements, p, Cost{});
}

int one_hot(Program& program, uintptr_t indices, uintptr_t values, uintptr_t y,
            const std::array<int64_t, 3>& sizes, int32_t element, bool wide) {
  const OneHotParams p = {
      sizes[0],    sizes[1], sizes[2], at<const void>(indices), at<const void>(values),
      at<void>(y), element,  wide};
  const double bytes = static_cast<double>(sizes[0] * sizes[1] * sizes[2] * element);
  return program.add(Kernel::one_hot, p, {copy_time(static_cast<double>(sizes[0]), bytes), 0});
}

int gather_elements(Program& program, uintptr_t source, uintptr_t target, uintptr_t indices,
                    bool wide, int element, int64_t extent, int64_t index_stride,
                    const Axes& axes) {
  const GatherElementsParams p = {at<const uint8_t>(source),
                                  at<uint8_t>(target),
                                  at<const void>(indices),
                                  wide,
                                  element,
                                  extent,
                                  index_stride,
                                  as_axes(axes)};
  return program.add(Kernel::gather_elements, p, {20 + 3 * total(p.axes), 0});
}

int resize_nearest(Program& program, uintptr_t source, uintptr_t target, uintptr_t rows,
                   uintptr_t columns, const std::array<int64_t, 6>& shape) {
  const ResizeNearestParams p = {at<const uint8_t>(source),
                                 at<uint8_t>(target),
                                 at<const int32_t>(rows),
                                 at<const int32_t>(columns),
                                 shape[0],
                                 shape[1],
                                 shape[2],
                                 shape[3],
                                 shape[4],
                                 shape[5]};
  const double runs = static_cast<double>(p.batch * p.out_height * p.out_width);
  return program.add(Kernel::resize_nearest, p, {copy_time(runs, static_cast<double>(p.run)), 0});
}

LinearTaps as_taps(const std::array<uintptr_t, 4>& given) {
  return {at<const int32_t>(given[0]), at<const int32_t>(given[1]), at<const float>(given[2]),
          at<const float>(given[3])};
}

template <Kernel kKernel>
int resize_linear(Program& program, uintptr_t source, uintptr_t target,
                  const std::array<uintptr_t, 4>& rows, const std::array<uintptr_t, 4>& columns,
                  const std::array<int64_t, 6>& shape) {
  const ResizeLinearParams p = {at<const void>(source),
                                at<void>(target),
                                as_taps(rows),
                                as_taps(columns),
                                shape[0],
                                shape[1],
                                shape[2],
                                shape[3],
                                shape[4],
                                shape[5]};
  const int64_t lines = p.batch * p.out_height;
  const double mixed = static_cast<double>(lines * p.width * p.channels);
  const double made = static_cast<double>(lines * p.out_width * p.channels);
  const size_t scratch = static_cast<size_t>(p.width * p.channels) * sizeof(float);
  return program.add(kKernel, p, {20 + 0.25 * mixed + 0.5 * made, scratch});
}

int requantize_rows_s8(Program& program, uintptr_t source, uintptr_t target, int64_t rows,
                       int64_t run, int64_t target_stride, int32_t zero_in, int32_t zero_out,
                       float scale) {
  const RequantizeRowsParams p = {at<const int8_t>(source),
                                  at<int8_t>(target),
                                  rows,
                                  run,
                                  target_stride,
                                  zero_in,
                                  zero_out,
                                  scale};
  return program.add(Kernel::requantize_rows_s8, p,
                     {20 + static_cast<double>(rows) * (2 + 0.25 * static_cast<double>(run)), 0});
}

}  // namespace

void bind_move(Methods& program) {
  program.def("copy_strided", copy_strided)
      .def("copy_numbered", copy_numbered)
      .def("fill_strided", fill_strided)
      .def("transpose_2d", transpose_2d)
      .def("gather_runs", gather_runs)
      .def("gather_nd", index_tuples<Kernel::gather_nd>)
      .def("scatter_nd", index_tuples<Kernel::scatter_nd>)
      .def("gather_elements", gather_elements)
      .def("combine_nd", combine_nd)
      .def("scatter_elements", scatter_elements)
      .def("one_hot", one_hot)
      .def("resize_nearest", resize_nearest)
      .def("resize_linear_s8", resize_linear<Kernel::resize_linear_s8>)
      .def("resize_linear_f32", resize_linear<Kernel::resize_linear_f32>)
      .def("requantize_rows_s8", requantize_rows_s8);
}

}  // namespace linnet
