// Python registration of the depthwise kernels.
#include "core/bind.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <array>

#include "depthwise/plan.h"

namespace py = pybind11;

namespace linnet {
namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;
using Two = std::array<int, 2>;

// An image of one column and a kernel of one column are an image of one row and a kernel of one
// row.
void lay_columns_flat(DepthwiseShape& s) {
  if (s.width != 1 || s.kernel_w != 1 || s.out_width != 1 || s.left != 0) return;
  std::swap(s.height, s.width);
  std::swap(s.out_height, s.out_width);
  std::swap(s.kernel_h, s.kernel_w);
  std::swap(s.stride_h, s.stride_w);
  std::swap(s.dilation_h, s.dilation_w);
  std::swap(s.top, s.left);
}

DepthwiseShape shape_of(std::array<int, 4> input, std::array<int, 3> output, Two kernel,
                        Two strides, Two dilations, Two begins) {
  DepthwiseShape s = {};
  s.batch = input[0], s.height = input[1], s.width = input[2], s.channels = input[3];
  s.out_height = output[0], s.out_width = output[1], s.outputs = output[2];
  s.kernel_h = kernel[0], s.kernel_w = kernel[1];
  s.stride_h = strides[0], s.stride_w = strides[1];
  s.dilation_h = dilations[0], s.dilation_w = dilations[1];
  s.top = begins[0], s.left = begins[1];
  s.multiplier = s.outputs / s.channels;
  lay_columns_flat(s);
  return s;
}

double outputs_of(const DepthwiseShape& s) {
  return static_cast<double>(s.batch) * s.out_height * s.out_width * s.outputs;
}

// Measured multiply-accumulates per nanosecond are about 60, 20 and 7 at lanes 16, 8 and 4.
double cost_s8(const DepthwiseShape& s, DepthwiseLanes lanes) {
  const double rate = lanes.lanes == 16 ? 60 : lanes.lanes == 8 ? 20 : 7;
  return outputs_of(s) * (s.kernel_h * s.kernel_w + 6) / rate;
}

py::capsule owner(AlignedBytes memory) {
  return py::capsule(memory.release(), [](void* bytes) { std::free(bytes); });
}

py::capsule add_s8(Program& program, uintptr_t x, uintptr_t y, const DepthwiseShape& shape,
                   const Array<int16_t>& weights, const Array<int64_t>& bias,
                   const Array<float>& scale, int zero_in, int zero_out, Two bounds) {
  DepthwiseS8Params p = {};
  p.shape = shape;
  p.x = at<const int8_t>(x);
  p.y = at<int8_t>(y);
  p.zero_in = zero_in, p.zero_out = zero_out, p.low = bounds[0], p.high = bounds[1];
  const DepthwiseLanes lanes = depthwise_lanes(isa_names()[static_cast<size_t>(program.isa())]);
  const int16_t* first = weights.data();
  const auto range = std::minmax_element(first, first + weights.size());
  plan_s8(p, lanes, *range.first, *range.second);
  AlignedBytes packed = pack_s8(p, lanes, first, bias.data(), scale.data());
  program.add(Kernel::depthwise_s8, p, Cost{cost_s8(shape, lanes), scratch_s8(p, lanes)});
  return owner(std::move(packed));
}

}  // namespace

void bind_depthwise(ProgramClass& program) {
  program.def(
      "depthwise_s8",
      [](Program& self, uintptr_t x, uintptr_t y, std::array<int, 4> input,
         std::array<int, 3> output, Two kernel, Two strides, Two dilations, Two begins,
         const Array<int16_t>& weights, const Array<int64_t>& bias, const Array<float>& scale,
         int zero_in, int zero_out, Two bounds) {
        const DepthwiseShape shape = shape_of(input, output, kernel, strides, dilations, begins);
        return add_s8(self, x, y, shape, weights, bias, scale, zero_in, zero_out, bounds);
      },
      py::kw_only(), py::arg("x"), py::arg("y"), py::arg("input"), py::arg("output"),
      py::arg("kernel"), py::arg("strides"), py::arg("dilations"), py::arg("begins"),
      py::arg("weights"), py::arg("bias"), py::arg("scale"), py::arg("zero_in"),
      py::arg("zero_out"), py::arg("bounds"),
      "Adds an int8 depthwise convolution; returns the owner of its packed weights.");
}

}  // namespace linnet
