// Convolutions as products of gathered patches and packed weights.
#pragma once

#include "float/product.h"

namespace linnet {
namespace LINNET_ISA {

// Writes up to kLanes - 1 floats behind dst + count, reads as many behind src + count.
LINNET_INLINE float* copy_run(float* dst, const float* src, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store_f(dst + i, load_f(src + i));
  return dst + count;
}

LINNET_INLINE float* zero_run(float* dst, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store_f(dst + i, splat_f(0.0f));
  return dst + count;
}

struct PixelF32 {
  int32_t image;
  int32_t row;
  int32_t column;
};

LINNET_INLINE PixelF32 pixel_at(const ConvF32Params& p, int64_t index) {
  const int64_t size = static_cast<int64_t>(p.out_height) * p.out_width;
  const int64_t rest = index % size;
  return {static_cast<int32_t>(index / size), static_cast<int32_t>(rest / p.out_width),
          static_cast<int32_t>(rest % p.out_width)};
}

LINNET_INLINE PixelF32 next_pixel(const ConvF32Params& p, PixelF32 at) {
  if (++at.column < p.out_width) return at;
  at.column = 0;
  if (++at.row < p.out_height) return at;
  at.row = 0;
  ++at.image;
  return at;
}

// One row of the patch: the taps of kernel row `line`, an input row inside the image. `contiguous`:
// neighboring taps are neighboring pixels and a group is all of a pixel.
LINNET_INLINE float* gather_line(const ConvF32Params& p, const float* line, int64_t x0,
                                 bool contiguous, float* dst) {
  const int64_t channels = static_cast<int64_t>(p.groups) * p.depth;
  if (contiguous) {
    const int64_t before = x0 < 0 ? (-x0 < p.kernel_w ? -x0 : p.kernel_w) : 0;
    const int64_t over = x0 + p.kernel_w - p.width;
    const int64_t after = over > 0 ? (over < p.kernel_w ? over : p.kernel_w) : 0;
    const int64_t inside = p.kernel_w - before - after;
    dst = zero_run(dst, before * channels);
    if (inside > 0) dst = copy_run(dst, line + (x0 + before) * channels, inside * channels);
    return zero_run(dst, after * channels);
  }
  for (int32_t tap = 0; tap < p.kernel_w; ++tap, x0 += p.dilation_w) {
    const bool inside = x0 >= 0 && x0 < p.width;
    dst = inside ? copy_run(dst, line + x0 * channels, p.depth) : zero_run(dst, p.depth);
  }
  return dst;
}

// The patch of one output pixel: kernel_h * kernel_w * depth floats in the order of the weights.
LINNET_INLINE void gather_patch(const ConvF32Params& p, int32_t group, PixelF32 at, float* dst) {
  const int64_t channels = static_cast<int64_t>(p.groups) * p.depth;
  const bool contiguous = p.groups == 1 && p.dilation_w == 1;
  const int64_t x0 = static_cast<int64_t>(at.column) * p.stride_w - p.left;
  int64_t y = static_cast<int64_t>(at.row) * p.stride_h - p.top;
  const float* image = p.x + static_cast<int64_t>(at.image) * p.height * p.width * channels +
                       static_cast<int64_t>(group) * p.depth;
  for (int32_t tap = 0; tap < p.kernel_h; ++tap, y += p.dilation_h) {
    if (y >= 0 && y < p.height) {
      dst = gather_line(p, image + y * p.width * channels, x0, contiguous, dst);
    } else {
      dst = zero_run(dst, static_cast<int64_t>(p.kernel_w) * p.depth);
    }
  }
}

// Output pixels [begin, end) of columns [column, stop) of one group.
static void conv_part(const ConvF32Params& p, float* gathered, int32_t group, int64_t begin,
                      int64_t end, int64_t column, int64_t stop) {
  const int64_t depth = static_cast<int64_t>(p.kernel_h) * p.kernel_w * p.depth;
  const int64_t padded = (p.outputs + kPanelF32 - 1) / kPanelF32 * kPanelF32;
  const bool flat = p.y_row == p.out_width * p.y_pixel && p.y_image == p.out_height * p.y_row;
  ProductF32 product{};
  product.a = gathered;
  product.b = p.w + group * padded * depth;
  product.bias = p.bias != nullptr ? p.bias + group * padded : nullptr;
  product.lda = gathered_stride_f32(depth);
  product.ldb = 0;
  product.ldc = p.y_pixel;
  product.depth = depth;
  product.low = p.low;
  product.high = p.high;
  product.layout = LayoutF32::kPanels;
  const int64_t step = even_rows(flat ? end - begin : p.out_width, row_block_f32(depth, p.outputs));
  PixelF32 at = pixel_at(p, begin);
  for (int64_t index = begin; index < end;) {
    int64_t rows = end - index < step ? end - index : step;
    if (!flat && rows > p.out_width - at.column) rows = p.out_width - at.column;
    product.c = p.y + at.image * p.y_image + at.row * p.y_row + at.column * p.y_pixel +
                static_cast<int64_t>(group) * p.outputs;
    for (int64_t i = 0; i < rows; ++i, at = next_pixel(p, at)) {
      gather_patch(p, group, at, gathered + i * product.lda);
    }
    multiply(product, rows, column, stop);
    index += rows;
  }
}

static void run_conv(const ConvF32Params& p, const Worker& worker) {
  const int64_t pixels = static_cast<int64_t>(p.batch) * p.out_height * p.out_width;
  if (pixels == 0 || p.outputs == 0) return;
  float* gathered = static_cast<float*>(worker.scratch);
  constexpr int64_t kGrain = tile_rows(kTileVectors);
  const int64_t panels = (p.outputs + kPanelF32 - 1) / kPanelF32;
  const int64_t units = (pixels + kGrain - 1) / kGrain;
  if (!splits_columns(units, p.groups * panels, worker.threads, p.outputs > pixels)) {
    const Span rows = split(pixels, worker, kGrain);
    for (int32_t group = 0; group < p.groups; ++group) {
      conv_part(p, gathered, group, rows.begin, rows.end, 0, p.outputs);
    }
    return;
  }
  const Span part = split(p.groups * panels, worker);
  for (int64_t unit = part.begin; unit < part.end;) {
    const int64_t first = unit % panels;
    const int64_t count = part.end - unit < panels - first ? part.end - unit : panels - first;
    const int64_t stop = (first + count) * kPanelF32;
    conv_part(p, gathered, static_cast<int32_t>(unit / panels), 0, pixels, first * kPanelF32,
              stop < p.outputs ? stop : p.outputs);
    unit += count;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
