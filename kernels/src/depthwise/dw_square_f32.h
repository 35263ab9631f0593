// float depthwise convolution by 3x3 kernels whose windows reach at most one place beyond the image
// to each side: all nine weights of a vector of channels stay in registers, and every input column
// is loaded once for all outputs of a tile of rows and columns that read it. Taps are added in
// kernel order.
#pragma once

#include "depthwise/dw_columns_f32.h"

namespace linnet {
namespace LINNET_ISA {

// Rows made together with stride 1 and columns of a tile, of narrow ones too: as many sums as the
// registers hold beside the weights.
#if defined(__aarch64__)
constexpr int kSquareRows = 2, kSquareColumns = 7;
#else
constexpr int kSquareRows = kLanes == 16 ? 2 : 1, kSquareColumns = kLanes == 16 ? 7 : 4;
#endif
constexpr int kNarrowColumns = 4;

// All channels of kRows x kWidth outputs from `column` on; kLeft, kRight: the first or last
// input column lies beside the image.
template <int kStride, int kRows, int kWidth, bool kLeft, bool kRight>
static __attribute__((noinline)) void dw_square_tile(const DepthwiseF32Params& p, const DwRow& row,
                                                     int column) {
  constexpr int kColumns = (kWidth - 1) * kStride + 3;
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t channels = s.channels, step = p.weight_step;
  const ptrdiff_t line = (ptrdiff_t)s.dilation_h * s.width * channels;
  const ptrdiff_t y_row = p.y_row, y_pixel = p.y_pixel;
  const int top = row.top, bottom = row.bottom;
  const float* biases = p.bias;
  const F low = splat_f(p.low), high = splat_f(p.high);
  const float* from = row.x + (ptrdiff_t)column * kStride * channels;
  const float* w[3] = {p.weights, p.weights + 3 * step, p.weights + 6 * step};
  float* y = row.y + column * p.y_pixel;
  for (ptrdiff_t c = 0; c < channels; c += kLanes, from += kLanes, y += kLanes) {
    F weight[3][3];
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) weight[k / 3][k % 3] = load_f(w[k / 3] + k % 3 * step + c);
    F sum[kRows][kWidth];
    const F bias = load_f(biases + c);
#pragma GCC unroll 16
    for (int i = 0; i < kRows * kWidth; ++i) sum[i / kWidth][i % kWidth] = bias;
    const float* at = from;
#pragma GCC unroll 4
    for (int q = 0; q < kRows + 2; ++q, at += line) {
      if (__builtin_expect(q < top || q >= bottom, 0)) continue;
#pragma GCC unroll 15
      for (int u = kLeft ? 1 : 0; u < (kRight ? kColumns - 1 : kColumns); ++u) {
        const F x = load_f(at + u * channels);
#pragma GCC unroll 2
        for (int r = 0; r < kRows; ++r) {
          const int ky = q - r;
          if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 8
          for (int i = 0; i < kWidth; ++i) {
            const int kx = u - i * kStride;
            if (kx >= 0 && kx <= 2) sum[r][i] = fma(x, weight[ky][kx], sum[r][i]);
          }
        }
      }
    }
    const auto store = [&](auto put) __attribute__((always_inline)) {
      float* to = y;
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r, to += y_row) {
#pragma GCC unroll 8
        for (int i = 0; i < kWidth; ++i) put(to + i * y_pixel, min_f(high, max_f(low, sum[r][i])));
      }
    };
    const int left = (int)(channels - c);
    if (__builtin_expect(left >= kLanes, 1)) {
      store([](float* to, F value) { store_f(to, value); });
    } else {
      store([left](float* to, F value) { store_f(to, value, left); });
    }
  }
}

// kRows rows of outputs. The last tile overlaps the one before.
template <int kStride, int kRows, int kWidth>
static void dw_square_rows(const DepthwiseF32Params& p, const DwRow& row) {
  constexpr int kColumns = (kWidth - 1) * kStride + 3;
  const DepthwiseShape& s = p.shape;
  for (int next = 0; next < s.out_width; next += kWidth) {
    const int column = next + kWidth <= s.out_width ? next : s.out_width - kWidth;
    const int begin = column * kStride - s.left;
    const bool left = begin < 0;
    const bool right = begin + kColumns > s.width;
    if (left && right) {
      dw_square_tile<kStride, kRows, kWidth, true, true>(p, row, column);
    } else if (left) {
      dw_square_tile<kStride, kRows, kWidth, true, false>(p, row, column);
    } else if (right) {
      dw_square_tile<kStride, kRows, kWidth, false, true>(p, row, column);
    } else {
      dw_square_tile<kStride, kRows, kWidth, false, false>(p, row, column);
    }
  }
}

template <int kStride, int kRows>
static void dw_square_rows(const DepthwiseF32Params& p, const DwRow& row) {
  const int width = p.shape.out_width;
  const auto made = [width](int tile) { return (width + tile - 1) / tile * tile; };
  if (width >= kSquareColumns && made(kSquareColumns) <= made(kNarrowColumns)) {
    dw_square_rows<kStride, kRows, kSquareColumns>(p, row);
  } else {
    dw_square_rows<kStride, kRows, kNarrowColumns>(p, row);
  }
}

// Rows that are made together.
LINNET_INLINE int dw_square_height(const DepthwiseShape& s) {
  return s.stride_w == 1 && s.stride_h == 1 && s.dilation_h == 1 ? kSquareRows : 1;
}

// Whether the tiles above serve a shape and keep all threads busy.
LINNET_INLINE bool dw_is_square(const DepthwiseShape& s, int threads) {
  if (s.kernel_h != 3 || s.kernel_w != 3 || s.dilation_w != 1 || s.stride_w > 2) return false;
  const int beyond = (s.out_width - 1) * s.stride_w - s.left + 3 - s.width;
  const int heights = (s.out_height + dw_square_height(s) - 1) / dw_square_height(s);
  return s.left <= 1 && beyond <= 1 && s.out_width >= kNarrowColumns &&
         (threads == 1 || (int64_t)s.batch * heights >= 2 * threads);
}

static void dw_square_f32(const DepthwiseF32Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const int height = dw_square_height(s), heights = (s.out_height + height - 1) / height;
  const Span span = split((int64_t)s.batch * heights, w);
  for (int64_t at = span.begin; at < span.end; ++at) {
    const int i = (int)(at % heights) * height;
    const int rows = height < s.out_height - i ? height : s.out_height - i;
    const DwRow row = dw_row(p, (int)(at / heights), i, rows);
    if (s.stride_w == 2) {
      dw_square_rows<2, 1>(p, row);
    } else if (rows == 1) {
      dw_square_rows<1, 1>(p, row);
    } else {
      dw_square_rows<1, kSquareRows>(p, row);
    }
    const int64_t line = (int64_t)s.out_width * s.outputs, first = at / heights * s.out_height + i;
    finish(p.tails, first * line, (first + rows) * line);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
