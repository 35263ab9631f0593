// float depthwise convolution by kernels of three, five or seven neighboring columns: every input
// column is loaded once per kernel row for all outputs of a tile that read it, zeros where it lies
// beside the image. Taps are added in kernel order.
#pragma once

#include "depthwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A row of outputs, or several: of the input rows that they read [top, bottom) lie inside the
// image.
struct DwRow {
  const float* x;  // where the window of output column 0 begins
  float* y;
  int top, bottom;
};

// Kernel positions [first, last) that lie inside [0, size) for a window that begins at `begin`.
struct DwInside {
  int first, last;
};
LINNET_INLINE DwInside dw_inside(int begin, int size, int kernel, int dilation) {
  int first = 0, last = kernel;
  while (first < kernel && begin + first * dilation < 0) ++first;
  while (last > first && begin + (last - 1) * dilation >= size) --last;
  return {first, last};
}

// Output rows [i, i + rows) of an image; beyond one of stride and dilation 1.
LINNET_INLINE DwRow dw_row(const DepthwiseF32Params& p, int image, int i, int rows) {
  const DepthwiseShape& s = p.shape;
  const int y0 = i * s.stride_h - s.top;
  const DwInside inside = dw_inside(y0, s.height, s.kernel_h + rows - 1, s.dilation_h);
  const ptrdiff_t start = (((ptrdiff_t)image * s.height + y0) * s.width - s.left) * s.channels;
  return {p.x + start, p.y + image * p.y_image + i * p.y_row, inside.first, inside.last};
}

// Of the input columns that a tile reads, [first, last) lie inside the image.
struct DwTile {
  const float* x;  // where the window of the first output begins
  float* y;
  int first, last;
};

// All channels of kPixels neighboring outputs.
template <int kWidth, int kStride, int kPixels, bool kBorder>
LINNET_INLINE void dw_column_tile(const DepthwiseF32Params& p, const DwRow& row,
                                  const DwTile& tile) {
  constexpr int kColumns = (kPixels - 1) * kStride + kWidth;
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t channels = s.channels;
  const ptrdiff_t line = (ptrdiff_t)s.dilation_h * s.width * channels;
  const F low = splat_f(p.low), high = splat_f(p.high);
  for (ptrdiff_t c = 0; c < channels; c += kLanes) {
    F sum[kPixels];
    const F bias = load_f(p.bias + c);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sum[i] = bias;
    const float* from = tile.x + c + row.top * line;
    const float* w = p.weights + row.top * kWidth * p.weight_step + c;
    for (int ky = row.top; ky < row.bottom; ++ky, from += line) {
      F column[kColumns];
      const float* at = from;
#pragma GCC unroll 20
      for (int i = 0; i < kColumns; ++i, at += channels) {
        const bool there = !kBorder || (i >= tile.first && i < tile.last);
        column[i] = there ? load_f(at) : splat_f(0.0f);
      }
#pragma GCC unroll 7
      for (int kx = 0; kx < kWidth; ++kx, w += p.weight_step) {
        const F weight = load_f(w);
#pragma GCC unroll 8
        for (int i = 0; i < kPixels; ++i) sum[i] = fma(column[i * kStride + kx], weight, sum[i]);
      }
    }
    const ptrdiff_t left = channels - c;
    float* to = tile.y + c;
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i, to += p.y_pixel) {
      const F value = min_f(high, max_f(low, sum[i]));
      if (left >= kLanes) {
        store_f(to, value);
      } else {
        store_f(to, value, (int)left);
      }
    }
  }
}

// Output columns [begin, end), at least kPixels of them. The last tile overlaps the one before.
template <int kWidth, int kStride, int kPixels>
static __attribute__((noinline)) void dw_column_tiles(const DepthwiseF32Params& p, const DwRow& row,
                                                      int begin, int end) {
  constexpr int kColumns = (kPixels - 1) * kStride + kWidth;
  const DepthwiseShape& s = p.shape;
  for (int next = begin; next < end; next += kPixels) {
    const int column = next + kPixels <= end ? next : end - kPixels;
    const int x0 = column * kStride - s.left, inside = s.width - x0;
    const DwTile tile = {row.x + (ptrdiff_t)column * kStride * s.channels,
                         row.y + column * p.y_pixel, x0 < 0 ? -x0 : 0, inside};
    if (x0 >= 0 && inside >= kColumns) {
      dw_column_tile<kWidth, kStride, kPixels, false>(p, row, tile);
    } else {
      dw_column_tile<kWidth, kStride, kPixels, true>(p, row, tile);
    }
  }
}

template <int kWidth, int kStride, int kPixels>
static void dw_column_tiles(int pixels, const DepthwiseF32Params& p, const DwRow& row, int begin,
                            int end) {
  if (pixels == kPixels) {
    dw_column_tiles<kWidth, kStride, kPixels>(p, row, begin, end);
  } else if constexpr (kPixels > 1) {
    dw_column_tiles<kWidth, kStride, kPixels - 1>(pixels, p, row, begin, end);
  }
}

// Output columns [begin, end) of a row, in tiles as even as possible of as many as fit the
// registers.
template <int kWidth, int kStride>
static void dw_column_row(const DepthwiseF32Params& p, const DwRow& row, int begin, int end) {
  constexpr int kMost = kLanes == 16 ? (kStride == 1 ? 8 : 6) : 4;
  const int count = end - begin, tiles = (count + kMost - 1) / kMost;
  const int pixels = (count + tiles - 1) / tiles;
  dw_column_tiles<kWidth, kStride, kMost>(pixels, p, row, begin, end);
}

using DwColumns = void (*)(const DepthwiseF32Params&, const DwRow&, int, int);

// The function for rows of a shape, null where none serves it.
static DwColumns dw_columns(const DepthwiseShape& s) {
  if (s.dilation_w != 1 || s.stride_w > 2) return nullptr;
  const bool one = s.stride_w == 1;
  if (s.kernel_w == 3) return one ? dw_column_row<3, 1> : dw_column_row<3, 2>;
  if (s.kernel_w == 5) return one ? dw_column_row<5, 1> : dw_column_row<5, 2>;
  if (s.kernel_w == 7) return one ? dw_column_row<7, 1> : dw_column_row<7, 2>;
  return nullptr;
}

}  // namespace LINNET_ISA
}  // namespace linnet
