// Python registration of the depthwise kernels.
#include <algorithm>
#include <array>

#include "core/methods.h"
#include "depthwise/plan.h"

namespace linnet {
namespace {

using Two = std::array<int, 2>;
using Three = std::array<int, 3>;
using Four = std::array<int, 4>;

// An image of one column and a kernel of one column are an image of one row and a kernel of one
// row.
bool is_column(const DepthwiseShape& s) {
  return s.width == 1 && s.kernel_w == 1 && s.out_width == 1 && s.left == 0;
}

void lay_columns_flat(DepthwiseShape& s) {
  std::swap(s.height, s.width);
  std::swap(s.out_height, s.out_width);
  std::swap(s.kernel_h, s.kernel_w);
  std::swap(s.stride_h, s.stride_w);
  std::swap(s.dilation_h, s.dilation_w);
  std::swap(s.top, s.left);
}

DepthwiseShape shape_of(Four input, Three output, Two kernel, Two strides, Two dilations,
                        Two begins) {
  DepthwiseShape s = {};
  s.batch = input[0], s.height = input[1], s.width = input[2], s.channels = input[3];
  s.out_height = output[0], s.out_width = output[1], s.outputs = output[2];
  s.kernel_h = kernel[0], s.kernel_w = kernel[1];
  s.stride_h = strides[0], s.stride_w = strides[1];
  s.dilation_h = dilations[0], s.dilation_w = dilations[1];
  s.top = begins[0], s.left = begins[1];
  s.multiplier = s.outputs / s.channels;
  return s;
}

// Roughly the multiply-accumulates per nanosecond; decides how many threads are worth waking.
double rate(DepthwiseLanes lanes, bool floats) {
  if (lanes.lanes == 16) return floats ? 14 : 50;
  if (lanes.lanes == 8) return floats ? 10 : 18;
  if (lanes.taps != 2) return lanes.taps == 4 ? 12 : 3;
  return floats ? 3 : 6;
}

double work_of(const DepthwiseShape& s) {
  const double outputs = static_cast<double>(s.batch) * s.out_height * s.out_width * s.outputs;
  return outputs * (s.kernel_h * s.kernel_w + 6);
}

DepthwiseLanes lanes_of(const Program& program) { return depthwise_lanes(program.isa_name()); }

AlignedBytes add_s8(Program& program, DepthwiseS8Params& p, const Values<int16_t>& weights,
                    const Values<int64_t>& bias, const Values<float>& scale) {
  const DepthwiseLanes lanes = lanes_of(program);
  const int16_t* first = weights.data();
  const size_t scratch = plan_s8(p, lanes, first);
  AlignedBytes packed = pack_s8(p, lanes, first, bias.data(), scale.data());
  program.add(Kernel::depthwise_s8, p, Cost{work_of(p.shape) / rate(lanes, false), scratch});
  return packed;
}

// `y_steps` are values from image to image, row to row and pixel to pixel.
DepthwiseF32Params params_f32(uintptr_t x, uintptr_t y, const DepthwiseShape& shape,
                              std::array<int64_t, 3> y_steps, std::array<float, 2> bounds) {
  DepthwiseF32Params p = {};
  p.shape = shape;
  p.x = at<const float>(x), p.y = at<float>(y);
  p.y_image = y_steps[0], p.y_row = y_steps[1], p.y_pixel = y_steps[2];
  p.low = bounds[0], p.high = bounds[1];
  if (is_column(p.shape)) {
    lay_columns_flat(p.shape);
    std::swap(p.y_row, p.y_pixel);
  }
  return p;
}

void add_f32(Program& program, const DepthwiseF32Params& p, size_t scratch) {
  const double time = work_of(p.shape) / rate(lanes_of(program), true);
  program.add(Kernel::depthwise_f32, p, Cost{time, scratch});
}

}  // namespace

void bind_depthwise(Methods& program) {
  program.def(
      "depthwise_s8",
      +[](Program& self, uintptr_t x, uintptr_t y, Four input, Three output, Two kernel,
          Two strides, Two dilations, Two begins, const Values<int16_t>& weights,
          const Values<int64_t>& bias, const Values<float>& scale, Two zeros, Two bounds) {
        DepthwiseS8Params p = {};
        p.shape = shape_of(input, output, kernel, strides, dilations, begins);
        if (is_column(p.shape)) lay_columns_flat(p.shape);
        p.x = at<const int8_t>(x), p.y = at<int8_t>(y);
        p.zero_in = zeros[0], p.zero_out = zeros[1], p.low = bounds[0], p.high = bounds[1];
        return add_s8(self, p, weights, bias, scale);
      },
      {"x", "y", "input", "output", "kernel", "strides", "dilations", "begins", "weights", "bias",
       "scale", "zeros", "bounds"},
      "Adds an int8 depthwise convolution; returns the owner of its packed weights.");
  program.def(
      "depthwise_f32",
      +[](Program& self, uintptr_t x, uintptr_t y, Four input, Three output, Two kernel,
          Two strides, Two dilations, Two begins, std::array<int64_t, 3> y_steps,
          const Values<float>& weights, const Values<float>& bias, std::array<float, 2> bounds) {
        const DepthwiseShape shape = shape_of(input, output, kernel, strides, dilations, begins);
        DepthwiseF32Params p = params_f32(x, y, shape, y_steps, bounds);
        const size_t scratch = plan_f32(p, lanes_of(self));
        AlignedBytes packed = pack_f32(p, lanes_of(self), weights.data(), bias.data());
        add_f32(self, p, scratch);
        return packed;
      },
      {"x", "y", "input", "output", "kernel", "strides", "dilations", "begins", "y_steps",
       "weights", "bias", "bounds"},
      "Adds a float depthwise convolution; returns the owner of its packed weights.");
  program.def(
      "depthwise_read_f32",
      +[](Program& self, uintptr_t x, uintptr_t y, Four input, Three output, Two kernel,
          Two strides, Two dilations, Two begins, std::array<int64_t, 3> y_steps, uintptr_t weights,
          uintptr_t bias, std::array<float, 2> bounds) {
        const DepthwiseShape shape = shape_of(input, output, kernel, strides, dilations, begins);
        DepthwiseF32Params p = params_f32(x, y, shape, y_steps, bounds);
        p.weights = at<const float>(weights), p.bias = at<const float>(bias);
        p.weight_step = shape.channels;
        add_f32(self, p, plan_f32(p, lanes_of(self)));
      },
      {"x", "y", "input", "output", "kernel", "strides", "dilations", "begins", "y_steps",
       "weights", "bias", "bounds"},
      "Adds a float depthwise convolution, one output per channel, that reads weights at run "
      "time.");
}

}  // namespace linnet
