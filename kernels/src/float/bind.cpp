// Python registration of the float kernels.
#include <array>
#include <string>

#include "core/methods.h"
#include "float/blocking.h"
#include "float/pack.h"

namespace linnet {
namespace {

// Estimated time on one thread: multiply-adds at the ISA's rate, or reading B from memory.
double product_nanoseconds(const Program& program, double macs, double b_bytes) {
  const double rate = program.isa() == 0 ? 5.0 : 25.0;
  const double compute = macs / rate, memory = b_bytes / 15.0;
  return 200.0 + (compute > memory ? compute : memory);
}

size_t gemm_scratch(const GemmF32Params& p) {
  const int64_t packed = kDepthBlockF32 * kPackColumnsF32;
  const int64_t most = row_block_f32(p.depth, p.columns);
  const int64_t rows = p.rows < most ? p.rows : most;
  const int64_t gathered = p.a_columns ? gathered_floats_f32(rows, p.depth) : 0;
  if (p.b_layout == LayoutF32::kPanels && !p.a_columns) return 0;
  return static_cast<size_t>(packed + gathered) * sizeof(float);
}

void add_gemm(Program& program, uintptr_t a, uintptr_t b, uintptr_t bias, uintptr_t c,
              uintptr_t a_offsets, uintptr_t b_offsets, int64_t batch, int64_t rows,
              int64_t columns, int64_t depth, int64_t lda, int64_t ldb, int b_layout,
              bool a_columns, float low, float high) {
  GemmF32Params p{};
  p.a = at<const float>(a);
  p.b = at<const float>(b);
  p.bias = at<const float>(bias);
  p.c = at<float>(c);
  p.a_offsets = at<const int64_t>(a_offsets);
  p.b_offsets = at<const int64_t>(b_offsets);
  p.batch = batch;
  p.rows = rows;
  p.columns = columns;
  p.depth = depth;
  p.lda = lda;
  p.ldb = ldb;
  p.b_layout = static_cast<LayoutF32>(b_layout);
  p.a_columns = a_columns;
  p.low = low;
  p.high = high;
  const double area = static_cast<double>(batch) * static_cast<double>(columns * depth);
  const double time = product_nanoseconds(program, area * static_cast<double>(rows), area * 4.0);
  program.add(Kernel::gemm_f32, p, Cost{time, gemm_scratch(p)});
}

// Floats of a vector.
int64_t float_lanes(const Program& program) {
  const std::string& isa = program.isa_name();
  return isa == "avx512vnni" ? 16 : isa == "avx2" ? 8 : 4;
}

// Filters of one signal add their taps in order: what follows (the logarithm of a spectrum's power)
// may amplify the difference that another order makes.
int64_t conv_fold(const Program& program, int64_t outputs, int64_t kernel_h, int64_t depth) {
  return depth == 1 && kernel_h == 1 ? 1 : fold_f32(outputs, float_lanes(program));
}

using Pair = std::array<int32_t, 2>;

// `image` is (batch, height, width, channels of a group), `result` (rows, columns, outputs of a
// group, groups), `y_steps` (image, row, pixel).
void add_conv(Program& program, uintptr_t x, uintptr_t w, uintptr_t bias, uintptr_t y,
              std::array<int32_t, 4> image, std::array<int32_t, 4> result, Pair kernel,
              Pair strides, Pair dilations, Pair begins, std::array<int64_t, 3> y_steps, float low,
              float high) {
  ConvF32Params p{};
  p.x = at<const float>(x);
  p.w = at<const float>(w);
  p.bias = at<const float>(bias);
  p.y = at<float>(y);
  p.y_image = y_steps[0];
  p.y_row = y_steps[1];
  p.y_pixel = y_steps[2];
  p.batch = image[0];
  p.height = image[1];
  p.width = image[2];
  p.depth = image[3];
  p.out_height = result[0];
  p.out_width = result[1];
  p.outputs = result[2];
  p.groups = result[3];
  p.kernel_h = kernel[0];
  p.kernel_w = kernel[1];
  p.stride_h = strides[0];
  p.stride_w = strides[1];
  p.dilation_h = dilations[0];
  p.dilation_w = dilations[1];
  p.top = begins[0];
  p.left = begins[1];
  p.fold = static_cast<int32_t>(conv_fold(program, p.outputs, p.kernel_h, p.depth));
  p.low = low;
  p.high = high;
  const int64_t depth = static_cast<int64_t>(p.kernel_h) * p.kernel_w * p.depth;
  const double pixels = static_cast<double>(p.batch) * p.out_height * p.out_width;
  const double weights = static_cast<double>(depth) * p.outputs * p.groups;
  const double time = product_nanoseconds(program, pixels * weights, weights * 4.0);
  const size_t scratch = static_cast<size_t>(conv_scratch_f32(p));
  program.add(Kernel::conv_f32, p, Cost{time, scratch});
}

// Packs weights (groups, outputs, kernel height, kernel width, depth) as conv_f32 wants them;
// returns how many floats they are, and only that where there is no `dst`.
int64_t pack_conv(Program& program, uintptr_t dst, uintptr_t src, int64_t groups, int64_t outputs,
                  std::array<int64_t, 2> kernel, int64_t depth, int64_t dilation) {
  const int64_t lanes = float_lanes(program), fold = conv_fold(program, outputs, kernel[0], depth);
  const bool rows = groups == 1 && (dilation == 1 || kernel[1] == 1);
  const int64_t runs = kernel[0] * (rows ? 1 : kernel[1]), length = depth * (rows ? kernel[1] : 1);
  const int64_t size = fold > 1 ? runs * ((length + fold - 1) / fold) * lanes
                                : panels_f32_size(outputs, runs * length);
  float* packed = at<float>(dst);
  for (int64_t group = 0; packed != nullptr && group < groups; ++group) {
    const float* part = at<const float>(src) + group * outputs * runs * length;
    if (fold > 1) {
      pack_fold_f32(packed + group * size, part, outputs, runs, length, fold, lanes);
    } else {
      pack_panels_f32(packed + group * size, part, outputs, runs * length, runs * length, 1);
    }
  }
  return groups * size;
}

// `result` is (rows, columns, outputs).
void add_winograd(Program& program, uintptr_t x, uintptr_t w, uintptr_t bias, uintptr_t y,
                  std::array<int32_t, 4> image, std::array<int32_t, 3> result, Pair begins,
                  float low, float high) {
  WinogradF32Params p{};
  p.x = at<const float>(x);
  p.w = at<const float>(w);
  p.bias = at<const float>(bias);
  p.y = at<float>(y);
  p.batch = image[0];
  p.height = image[1];
  p.width = image[2];
  p.channels = image[3];
  p.out_height = result[0];
  p.out_width = result[1];
  p.outputs = result[2];
  p.top = begins[0];
  p.left = begins[1];
  p.low = low;
  p.high = high;
  const double pixels = static_cast<double>(p.batch) * p.out_height * p.out_width;
  const double weights = 36.0 * p.channels * p.outputs;
  const double moved = pixels * (p.channels + p.outputs) * 0.5;
  const double time = moved + product_nanoseconds(program, pixels / 16 * weights, weights * 4.0);
  const size_t scratch = static_cast<size_t>(winograd_scratch_f32(p));
  program.add(Kernel::winograd_f32, p, Cost{time, scratch});
}

}  // namespace

void bind_float(Methods& program) {
  program.def("gemm_f32", add_gemm,
              {"a", "b", "bias", "c", "a_offsets", "b_offsets", "batch", "rows", "columns", "depth",
               "lda", "ldb", "b_layout", "a_columns", "low", "high"});
  program.def("conv_f32", add_conv,
              {"x", "w", "bias", "y", "image", "result", "kernel", "strides", "dilations", "begins",
               "y_steps", "low", "high"});
  program.def("pack_conv_f32", pack_conv,
              {"dst", "src", "groups", "outputs", "kernel", "depth", "dilation"});
  program.def("winograd_f32", add_winograd,
              {"x", "w", "bias", "y", "image", "result", "begins", "low", "high"});
  program.def("winograd_f32_size",
              +[](Program&, int64_t outputs, int64_t channels) {
                return winograd_f32_size(outputs, channels);
              },
              {"outputs", "channels"});
  program.def("pack_winograd_f32",
              +[](Program&, uintptr_t dst, uintptr_t src, int64_t outputs, int64_t channels) {
                pack_winograd_f32(at<float>(dst), at<const float>(src), outputs, channels);
              },
              {"dst", "src", "outputs", "channels"});
  program.def(
      "panels_f32_size",
      +[](Program&, int64_t columns, int64_t depth) { return panels_f32_size(columns, depth); },
      {"columns", "depth"});
  program.def("pack_panels_f32",
              +[](Program&, uintptr_t dst, uintptr_t src, int64_t columns, int64_t depth,
                  int64_t column_stride, int64_t depth_stride) {
                pack_panels_f32(at<float>(dst), at<const float>(src), columns, depth, column_stride,
                                depth_stride);
              },
              {"dst", "src", "columns", "depth", "column_stride", "depth_stride"});
}

}  // namespace linnet
