// Python registration of the pooling and reduction kernels.
#include <algorithm>
#include <array>

#include "core/methods.h"

namespace linnet {
namespace {

using Two = std::array<int, 2>;
using Reals = std::array<float, 2>;

PoolShape pool_shape(std::array<int, 4> input, Two output, Two kernel, Two strides, Two dilations,
                     std::array<int, 4> pads) {
  PoolShape s = {};
  s.batch = input[0], s.height = input[1], s.width = input[2], s.channels = input[3];
  s.out_height = output[0], s.out_width = output[1];
  s.kernel_h = kernel[0], s.kernel_w = kernel[1];
  s.stride_h = strides[0], s.stride_w = strides[1];
  s.dilation_h = dilations[0], s.dilation_w = dilations[1];
  s.top = pads[0], s.left = pads[1], s.bottom = pads[2], s.right = pads[3];
  return s;
}

// Bytes of the line that holds one folded row, and of the vector that may be written behind it.
Cost pool_cost(const PoolShape& s, size_t line_value, double bytes_per_nanosecond) {
  const size_t row = static_cast<size_t>(s.width) * static_cast<size_t>(s.channels);
  const double rows = static_cast<double>(s.batch) * s.out_height;
  const double folded = static_cast<double>(row) * s.kernel_h;
  const double outputs = static_cast<double>(s.out_width) * s.channels * s.kernel_w;
  const double bytes = rows * (folded + outputs) * static_cast<double>(line_value);
  return {bytes / bytes_per_nanosecond + rows * s.out_width * 2.0, row * line_value + 256};
}

ReduceShape reduce_shape(std::array<int64_t, 5> sizes) {
  return {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]};
}

double reduce_cost(const ReduceShape& s, size_t value) {
  const double values =
      static_cast<double>(s.outer * s.first * s.middle) * static_cast<double>(s.second * s.inner);
  return values * static_cast<double>(value) / 16.0;
}

template <class Params>
int add_pool(Program& program, Kernel kernel, Params p, size_t line_value) {
  return program.add(kernel, p, pool_cost(p.shape, line_value, 16.0));
}

int add_arg(Program& program, Kernel kernel, uintptr_t x, uintptr_t y, std::array<int64_t, 2> sizes,
            bool largest, bool last, bool wide) {
  const ArgExtremeParams p = {sizes[0], sizes[1], at<const void>(x), at<void>(y), largest,
                              last,     wide};
  return program.add(kernel, p, Cost{static_cast<double>(sizes[0] * (sizes[1] + 8)) * 0.4, 0});
}

using Four = std::array<int, 4>;

template <class T, Kernel kKernel>
int add_stored_max_pool(Program& self, uintptr_t x, uintptr_t y, Four input, Two output, Two kernel,
                        Two strides, Two dilations, Four pads, Two bounds) {
  const PoolShape shape = pool_shape(input, output, kernel, strides, dilations, pads);
  const MaxPoolParams<T, int> p = {shape, at<T>(x), at<T>(y), bounds[0], bounds[1]};
  return add_pool(self, kKernel, p, sizeof(T));
}

// Sums of a row's values take twice their bytes.
template <class T, Kernel kKernel>
int add_stored_average_pool(Program& self, uintptr_t x, uintptr_t y, Four input, Two output,
                            Two kernel, Two strides, Two dilations, Four pads, Two bounds,
                            bool count_padding, float ratio, Two zeros, int rounding) {
  const PoolShape shape = pool_shape(input, output, kernel, strides, dilations, pads);
  const StoredAveragePoolParams<T> p = {
      shape,    at<T>(x),  at<T>(y),  ratio,         zeros[0],
      zeros[1], bounds[0], bounds[1], count_padding, static_cast<MeanRounding>(rounding)};
  return add_pool(self, kKernel, p, 2 * sizeof(T));
}

void bind_pools(Methods& program) {
  program.def("max_pool_s8", add_stored_max_pool<int8_t, Kernel::max_pool_s8>);
  program.def("max_pool_s16", add_stored_max_pool<int16_t, Kernel::max_pool_s16>);
  program.def("average_pool_s8", add_stored_average_pool<int8_t, Kernel::average_pool_s8>);
  program.def("average_pool_s16", add_stored_average_pool<int16_t, Kernel::average_pool_s16>);
  program.def(
      "max_pool_f32", +[](Program& self, uintptr_t x, uintptr_t y, Four input, Two output,
                          Two kernel, Two strides, Two dilations, Four pads, Reals bounds) {
        const PoolShape shape = pool_shape(input, output, kernel, strides, dilations, pads);
        const MaxPoolF32Params p = {shape, at<float>(x), at<float>(y), bounds[0], bounds[1]};
        return add_pool(self, Kernel::max_pool_f32, p, sizeof(float));
      });
  program.def(
      "average_pool_f32",
      +[](Program& self, uintptr_t x, uintptr_t y, Four input, Two output, Two kernel, Two strides,
          Two dilations, Four pads, Reals bounds, bool count_padding) {
        const PoolShape shape = pool_shape(input, output, kernel, strides, dilations, pads);
        const AveragePoolF32Params p = {shape,     at<float>(x), at<float>(y),
                                        bounds[0], bounds[1],    count_padding};
        return add_pool(self, Kernel::average_pool_f32, p, sizeof(float));
      });
}

Reduction reduction_of(const std::string& kind) {
  return kind == "max" ? Reduction::max : kind == "min" ? Reduction::min : Reduction::sum;
}

template <class T, Kernel kKernel>
int add_stored_reduction(Program& self, const std::string& kind, uintptr_t x, uintptr_t y,
                         std::array<int64_t, 5> sizes, float scale, Two zeros) {
  const StoredReduceParams<T> p = {
      reduce_shape(sizes), reduction_of(kind), at<T>(x), at<T>(y), scale, zeros[0], zeros[1]};
  return self.add(kKernel, p, Cost{reduce_cost(p.shape, sizeof(T)), 0});
}

}  // namespace

void bind_reduce(Methods& program) {
  bind_pools(program);
  program.def(
      "reduce_f32", +[](Program& self, const std::string& kind, uintptr_t x, uintptr_t y,
                        std::array<int64_t, 5> sizes, float divisor) {
        const ReduceF32Params p = {reduce_shape(sizes), reduction_of(kind), at<float>(x),
                                   at<float>(y), divisor};
        return self.add(Kernel::reduce_f32, p, Cost{reduce_cost(p.shape, sizeof(float)), 0});
      });
  program.def("reduce_s8", add_stored_reduction<int8_t, Kernel::reduce_s8>);
  program.def("reduce_s16", add_stored_reduction<int16_t, Kernel::reduce_s16>);
  program.def(
      "arg_extreme_f32", +[](Program& self, uintptr_t x, uintptr_t y, std::array<int64_t, 2> sizes,
                             bool largest, bool last, bool wide) {
        return add_arg(self, Kernel::arg_extreme_f32, x, y, sizes, largest, last, wide);
      });
  program.def(
      "arg_extreme_s8", +[](Program& self, uintptr_t x, uintptr_t y, std::array<int64_t, 2> sizes,
                            bool largest, bool last, bool wide) {
        return add_arg(self, Kernel::arg_extreme_s8, x, y, sizes, largest, last, wide);
      });
}

}  // namespace linnet
