// Python registration of the kernels of int16 activations but convolutions.
#include "elementwise/binding.h"

namespace linnet {
namespace {

using Pair = std::array<int32_t, 2>;

// Multiply-accumulates, or elements, per nanosecond on one thread, rough.
constexpr double kTaps = 8.0;
constexpr double kElements = 1.0;

int add_depthwise(Program& program, uintptr_t x, uintptr_t y, uintptr_t weights, uintptr_t bias,
                  uintptr_t scale, const std::array<int, 4>& input,
                  const std::array<int, 3>& output, const Pair& kernel, const Pair& strides,
                  const Pair& dilations, const Pair& begins, const Pair& zeros,
                  const Pair& bounds) {
  DepthwiseS16Params p = {};
  p.shape = {input[0],     input[1],   input[2],   input[3],
             output[0],    output[1],  output[2],  kernel[0],
             kernel[1],    strides[0], strides[1], dilations[0],
             dilations[1], begins[0],  begins[1],  output[2] / input[3]};
  p.x = at<int16_t>(x);
  p.y = at<int16_t>(y);
  p.weights = at<int32_t>(weights);
  p.bias = at<int32_t>(bias);
  p.scale = at<float>(scale);
  p.zero_in = zeros[0], p.zero_out = zeros[1];
  p.low = bounds[0], p.high = bounds[1];
  const double taps =
      static_cast<double>(input[0]) * output[0] * output[1] * output[2] * kernel[0] * kernel[1];
  return program.add(Kernel::depthwise_s16, p, Cost{taps / kTaps, 0});
}

int add_binary(Program& program, const std::string& name, uintptr_t x, uintptr_t y, uintptr_t z,
               const Sizes& sizes, const std::vector<Sizes>& strides, float product,
               const std::array<int32_t, 3>& fixed, const std::array<int32_t, 3>& zeros,
               const Pair& bounds) {
  BinaryS16Params p = {};
  p.x = at<int16_t>(x);
  p.y = at<int16_t>(y);
  p.z = at<int16_t>(z);
  p.shape = broadcast(sizes, strides);
  p.op = static_cast<BinaryOp>(index_of(kBinaryNames, name));
  p.product = product;
  p.left_fixed = fixed[0], p.right_fixed = fixed[1], p.shift = fixed[2];
  p.x_zero = zeros[0], p.y_zero = zeros[1], p.z_zero = zeros[2];
  p.low = bounds[0], p.high = bounds[1];
  const double count = static_cast<double>(p.shape.count);
  return program.add(Kernel::binary_s16, p, Cost{count / kElements, 0});
}

int add_table(Program& program, uintptr_t x, uintptr_t y, uintptr_t table, int64_t count,
              int32_t x_size, int32_t y_size) {
  const TableS16Params p = {at<void>(x), at<void>(y), at<void>(table), count, x_size, y_size};
  return program.add(Kernel::table_s16, p, Cost{static_cast<double>(count) / kElements, 0});
}

int add_softmax(Program& program, uintptr_t x, uintptr_t y, uintptr_t exponents,
                uintptr_t reciprocals, int64_t rows, int64_t length, int64_t factor,
                int32_t shift) {
  const SoftmaxS16Params p = {at<int16_t>(x),
                              at<int16_t>(y),
                              at<int16_t>(exponents),
                              at<int16_t>(reciprocals),
                              rows,
                              length,
                              factor,
                              shift};
  const double count = static_cast<double>(rows) * static_cast<double>(length);
  return program.add(Kernel::softmax_s16, p, Cost{4.0 * count / kElements, 0});
}

}  // namespace

void bind_int16(Methods& program) {
  program.def("depthwise_s16", add_depthwise,
              {"x", "y", "weights", "bias", "scale", "input", "output", "kernel", "strides",
               "dilations", "begins", "zeros", "bounds"},
              "Add a depthwise convolution of int16 activations.");
  program.def("binary_s16", add_binary).def("table_s16", add_table);
  program.def("softmax_s16", add_softmax);
}

}  // namespace linnet
