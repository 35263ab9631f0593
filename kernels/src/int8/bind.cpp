// Python registration of the int8 kernels.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/bind.h"
#include "int8/layout.h"

namespace linnet {
namespace {

namespace py = pybind11;

// Bytes of gathered rows that share the first-level cache with weights, and the same where the
// weights are so large that every block reads them from beyond the second level.
constexpr int64_t kBlockBytes = 24 * 1024;
constexpr int64_t kWideBlockBytes = 192 * 1024;
constexpr int64_t kLargeWeights = 512 * 1024;
constexpr int64_t kSlack = 128;

bool multiplies_bytes(const Program& program) {
  return isa_names()[static_cast<size_t>(program.isa())] == "avx512vnni";
}

LayoutS8 layout_of(const Program& program) { return layout_s8(multiplies_bytes(program)); }

// Multiply-accumulates per nanosecond, rough: they only decide how many threads are worth waking.
double rate_of(const Program& program) {
  const std::string& isa = isa_names()[static_cast<size_t>(program.isa())];
  return isa == "avx512vnni" ? 150.0 : isa == "avx2" ? 45.0 : 14.0;
}

// Rows gathered at a time: whole tiles (12 divides into all of them), within the cache.
int32_t block_rows(int64_t rows, int64_t depth, int64_t weight_bytes, const LayoutS8& layout) {
  const int64_t budget = weight_bytes > kLargeWeights ? kWideBlockBytes : kBlockBytes;
  const int64_t fit = budget / std::max<int64_t>(row_bytes(depth, layout), 1) / 12 * 12;
  const int64_t block = std::min<int64_t>(std::max<int64_t>(fit, 12), kMaxBlock);
  return static_cast<int32_t>(std::max<int64_t>(std::min(block, rows), 1));
}

OutputS8 output_of(uintptr_t bias, uintptr_t scale, uintptr_t weight_zero,
                   const std::array<int32_t, 3>& bounds) {
  return {at<int32_t>(bias), at<float>(scale), at<int32_t>(weight_zero),
          bounds[0],         bounds[1],        bounds[2]};
}


int conv_s8(Program& program, uintptr_t x, uintptr_t y, uintptr_t weights, uintptr_t bias,
            uintptr_t scale, uintptr_t weight_zero, const std::array<int32_t, 5>& image,
            const std::array<int32_t, 8>& window, const std::array<int32_t, 3>& out,
            const std::array<int64_t, 3>& steps, int32_t zero,
            const std::array<int32_t, 3>& bounds) {
  const LayoutS8 layout = layout_of(program);
  ConvS8Params p{};
  p.x = at<int8_t>(x);
  p.y = at<int8_t>(y);
  p.weights = at<int8_t>(weights);
  p.output = output_of(bias, scale, weight_zero, bounds);
  p.y_image = steps[0], p.y_row = steps[1], p.y_pixel = steps[2];
  p.batch = image[0], p.height = image[1], p.width = image[2], p.channels = image[3];
  p.groups = image[4];
  p.kernel_h = window[0], p.kernel_w = window[1], p.stride_h = window[2], p.stride_w = window[3];
  p.dilation_h = window[4], p.dilation_w = window[5], p.top = window[6], p.left = window[7];
  p.out_h = out[0], p.out_w = out[1], p.out_channels = out[2];
  p.zero = zero;
  const int64_t depth = static_cast<int64_t>(p.kernel_h) * p.kernel_w * p.channels;
  const int64_t rows = static_cast<int64_t>(p.batch) * p.out_h * p.out_w;
  const int64_t packed = padded(p.out_channels, kPanel) / kPanel * panel_bytes(depth, layout);
  p.block = block_rows(rows, depth, packed, layout);
  const double macs = static_cast<double>(rows) * static_cast<double>(p.groups) *
                      static_cast<double>(packed);
  const int64_t scratch = p.block * row_bytes(depth, layout) + kSlack;
  return program.add(Kernel::conv_s8, p,
                     Cost{macs / rate_of(program), static_cast<size_t>(scratch)});
}

int matmul_s8(Program& program, uintptr_t a, uintptr_t b, uintptr_t y, uintptr_t a_offsets,
              uintptr_t b_offsets, uintptr_t scale, const std::array<int32_t, 4>& sizes,
              bool b_transposed, const std::array<int32_t, 2>& zeros,
              const std::array<int32_t, 3>& bounds) {
  const LayoutS8 layout = layout_of(program);
  MatMulS8Params p{};
  p.a = at<int8_t>(a);
  p.b = at<int8_t>(b);
  p.y = at<int8_t>(y);
  p.a_offsets = at<int64_t>(a_offsets);
  p.b_offsets = at<int64_t>(b_offsets);
  p.output = output_of(0, scale, 0, bounds);
  p.batch = sizes[0], p.rows = sizes[1], p.depth = sizes[2], p.columns = sizes[3];
  p.b_transposed = b_transposed ? 1 : 0;
  p.a_zero = zeros[0], p.b_zero = zeros[1];
  const int64_t columns = padded(p.columns, kPanel);
  const int64_t packed = columns / kPanel * panel_bytes(p.depth, layout);
  p.block = block_rows(p.rows, p.depth, packed, layout);
  const double macs = static_cast<double>(p.batch) * p.rows * static_cast<double>(packed);
  const int64_t scratch = padded(p.block * row_bytes(p.depth, layout) + 64, 64) + packed +
                          2 * columns * static_cast<int64_t>(sizeof(int32_t)) + kSlack;
  return program.add(Kernel::matmul_s8, p,
                     Cost{macs / rate_of(program), static_cast<size_t>(scratch)});
}

}  // namespace

void bind_int8(ProgramClass& program) {
  program.def_property_readonly(
      "layout_s8",
      [](const Program& self) {
        const LayoutS8 layout = layout_of(self);
        return py::make_tuple(layout.group, layout.shift);
      },
      "How this program's ISA packs int8 weights: (k bytes per lane, shift of activations).");
  program.def("conv_s8", conv_s8, py::arg("x"), py::arg("y"), py::arg("weights"), py::arg("bias"),
              py::arg("scale"), py::arg("weight_zero"), py::arg("image"), py::arg("window"),
              py::arg("out"), py::arg("steps"), py::arg("zero"), py::arg("bounds"),
              "Add a convolution; image = (batch, height, width, channels, groups), window = "
              "(kernel, stride, dilation, begin), out = (height, width, channels of a group), "
              "steps of y in bytes, bounds = (zero, low, high) of y.");
  program.def("matmul_s8", matmul_s8, py::arg("a"), py::arg("b"), py::arg("y"),
              py::arg("a_offsets"), py::arg("b_offsets"), py::arg("scale"), py::arg("sizes"),
              py::arg("b_transposed"), py::arg("zeros"), py::arg("bounds"),
              "Add products of two activations; sizes = (batch, rows, depth, columns), zeros of a "
              "and b, bounds = (zero, low, high) of y.");
}

}  // namespace linnet
