// Parameters of the float kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {

// Columns of one packed panel of B, on every ISA.
constexpr int64_t kPanelF32 = 16;

// How B lies in memory: row k of columns 16 g .. 16 g + 15 starts at
//   kPanels: b + g * 16 * depth + k * 16    (packed, zeros behind the last column)
//   kRows:   b + k * ldb + 16 * g           (up to 60 bytes behind the last row are read)
//   kColumns: element (k, n) at b + n * ldb + k
enum class LayoutF32 : int32_t { kPanels, kRows, kColumns };

// c[i, m, n] = clamp(sum over k of a[i, m, k] * b[i, k, n] + bias[n], low, high), k ascending.
// Element (m, k) of entry i of A is a[a_offsets[i] + m * lda + k], or with `a_columns`
// a[a_offsets[i] + k * lda + m]. Entry i of C starts at c + i * rows * columns. `bias` is null or
// readable up to a multiple of 16 columns.
struct GemmF32Params {
  const float* a;
  const float* b;
  const float* bias;
  float* c;
  const int64_t* a_offsets;
  const int64_t* b_offsets;
  int64_t batch;
  int64_t rows;
  int64_t columns;
  int64_t depth;
  int64_t lda;
  int64_t ldb;
  float low;
  float high;
  LayoutF32 b_layout;
  bool a_columns;
  Tails tails;

  bool takes_tails() const { return true; }
};

// y[n, i, j, g * outputs + o] = clamp(bias[g, o] + sum over p, q, c of
//   x[n, i * stride_h + p * dilation_h - top, j * stride_w + q * dilation_w - left, g * depth + c]
//   * w[g, p, q, c, o], low, high), where x is zero outside the image.
// x is (batch, height, width, groups * depth). Weights are packed panels of 16 outputs per group,
// bias (or null) is padded likewise. With `fold` > 1 (outputs * fold <= lanes) they are packed per
// group and run of a window, in vectors of `fold` steps: lane l has step l % fold of output l /
// fold, zeros behind the run's end. Output pixel (n, i, j) starts at y + n * y_image + i * y_row +
// j * y_pixel. Up to 60 bytes behind x are read.
struct ConvF32Params {
  const float* x;
  const float* w;
  const float* bias;
  float* y;
  int64_t y_image;
  int64_t y_row;
  int64_t y_pixel;
  int32_t batch;
  int32_t height;
  int32_t width;
  int32_t groups;
  int32_t depth;
  int32_t outputs;
  int32_t out_height;
  int32_t out_width;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t top;
  int32_t left;
  int32_t fold;
  float low;
  float high;
  Tails tails;

  bool takes_tails() const {
    return y_pixel == static_cast<int64_t>(groups) * outputs && y_row == out_width * y_pixel &&
           y_image == out_height * y_row;
  }
};

// conv_f32 with a kernel of 3x3, strides and dilations of 1 and one group, y dense. `w` holds, for
// each of 36 points, a packed (channels, outputs) matrix: pack_winograd_f32.
struct WinogradF32Params {
  const float* x;
  const float* w;
  const float* bias;
  float* y;
  int32_t batch;
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t outputs;
  int32_t out_height;
  int32_t out_width;
  int32_t top;
  int32_t left;
  float low;
  float high;
  Tails tails;

  bool takes_tails() const { return true; }
};

}  // namespace linnet
