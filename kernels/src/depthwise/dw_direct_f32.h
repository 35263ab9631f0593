// float depthwise convolution with one output per channel, reading its input in place. Taps are
// added in kernel order, so results do not depend on threads or tiles.
#pragma once

#include "depthwise/dw_columns_f32.h"

namespace linnet {
namespace LINNET_ISA {

// The taps of a window that lie inside the image.
struct DwTaps {
  const ptrdiff_t* offsets;  // from the window's first place
  const float* const* weights;
  int count;
};

// Pixels and vectors of channels that share registers: accumulators and one weight vector each.
constexpr int kDwPixels = kLanes == 16 ? 8 : kLanes == 8 ? 6 : 4;
constexpr int kDwBorderVectors = 4;

// `at`: where the windows of kPixels pixels begin, at the first of kVectors vectors of channels.
template <int kPixels, int kVectors>
static __attribute__((noinline)) void dw_tile(const DepthwiseF32Params& p, const float* const* at,
                                              const DwTaps& taps, ptrdiff_t channel, float* y) {
  F sum[kPixels][kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const F bias = load_f(p.bias + channel + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sum[i][j] = bias;
  }
  const float* from[kPixels];
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) from[i] = at[i] + channel;
  for (int tap = 0; tap < taps.count; ++tap) {
    const ptrdiff_t offset = taps.offsets[tap];
    const float* w = taps.weights[tap] + channel;
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const F weight = load_f(w + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) {
        sum[i][j] = fma(load_f(from[i] + offset + j * kLanes), weight, sum[i][j]);
      }
    }
  }
  const F low = splat_f(p.low), high = splat_f(p.high);
  const ptrdiff_t step = p.y_pixel;
  const int left = (int)(p.shape.channels - channel) - (kVectors - 1) * kLanes;
  const int tail = left < kLanes ? left : kLanes;
  y += channel;
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i, y += step) {
#pragma GCC unroll 4
    for (int j = 0; j + 1 < kVectors; ++j) {
      store_f(y + j * kLanes, min_f(high, max_f(low, sum[i][j])));
    }
    const F last = min_f(high, max_f(low, sum[i][kVectors - 1]));
    if (tail == kLanes) {
      store_f(y + (kVectors - 1) * kLanes, last);
    } else {
      store_f(y + (kVectors - 1) * kLanes, last, tail);
    }
  }
}

template <int kPixels, int kVectors>
static void dw_pixels(int pixels, const DepthwiseF32Params& p, const float* const* at,
                      const DwTaps& taps, ptrdiff_t channel, float* y) {
  if (pixels == kPixels) {
    dw_tile<kPixels, kVectors>(p, at, taps, channel, y);
  } else if constexpr (kPixels > 1) {
    dw_pixels<kPixels - 1, kVectors>(pixels, p, at, taps, channel, y);
  }
}

template <int kVectors>
static void dw_pixel(int vectors, const DepthwiseF32Params& p, const float* at, const DwTaps& taps,
                     ptrdiff_t channel, float* y) {
  if (vectors == kVectors) {
    dw_tile<1, kVectors>(p, &at, taps, channel, y);
  } else if constexpr (kVectors > 1) {
    dw_pixel<kVectors - 1>(vectors, p, at, taps, channel, y);
  }
}

// Lists the taps of kernel rows and columns [left, right) at `lists`.
static DwTaps dw_taps(const DepthwiseF32Params& p, const DwRow& row, int left, int right,
                      void* lists) {
  const DepthwiseShape& s = p.shape;
  ptrdiff_t* offsets = static_cast<ptrdiff_t*>(lists);
  const float** weights = reinterpret_cast<const float**>(offsets + s.kernel_h * s.kernel_w);
  int count = 0;
  for (int ky = row.top; ky < row.bottom; ++ky) {
    for (int kx = left; kx < right; ++kx, ++count) {
      offsets[count] = ((ptrdiff_t)ky * s.dilation_h * s.width + kx * s.dilation_w) * s.channels;
      weights[count] = p.weights + (ky * s.kernel_w + kx) * p.weight_step;
    }
  }
  return {offsets, weights, count};
}

// Output columns [begin, end) at the image's border, each with taps of its own.
static void dw_border(const DepthwiseF32Params& p, const DwRow& row, int begin, int end,
                      void* lists) {
  const DepthwiseShape& s = p.shape;
  const int vectors = (s.channels + kLanes - 1) / kLanes;
  for (int column = begin; column < end; ++column) {
    const int x0 = column * s.stride_w - s.left;
    const DwInside inside = dw_inside(x0, s.width, s.kernel_w, s.dilation_w);
    const DwTaps taps = dw_taps(p, row, inside.first, inside.last, lists);
    const float* at = row.x + (ptrdiff_t)column * s.stride_w * s.channels;
    float* y = row.y + column * p.y_pixel;
    for (int j = 0; j < vectors; j += kDwBorderVectors) {
      const int count = vectors - j < kDwBorderVectors ? vectors - j : kDwBorderVectors;
      dw_pixel<kDwBorderVectors>(count, p, at, taps, (ptrdiff_t)j * kLanes, y);
    }
  }
}

// Output columns [begin, end) whose windows lie inside the image from left to right.
static void dw_interior(const DepthwiseF32Params& p, const DwRow& row, int begin, int end,
                        void* lists) {
  const DepthwiseShape& s = p.shape;
  const DwTaps taps = dw_taps(p, row, 0, s.kernel_w, lists);
  const ptrdiff_t step = (ptrdiff_t)s.stride_w * s.channels;
  const int vectors = (s.channels + kLanes - 1) / kLanes;
  const float* at[kDwPixels];
  for (int column = begin; column < end;) {
    const int tiles = (end - column + kDwPixels - 1) / kDwPixels;
    const int count = (end - column + tiles - 1) / tiles;
    for (int i = 0; i < count; ++i) at[i] = row.x + (column + i) * step;
    float* y = row.y + column * p.y_pixel;
    int j = 0;
    for (; j + 2 <= vectors; j += 2) {
      dw_pixels<kDwPixels, 2>(count, p, at, taps, (ptrdiff_t)j * kLanes, y);
    }
    if (j < vectors) dw_pixels<kDwPixels, 1>(count, p, at, taps, (ptrdiff_t)j * kLanes, y);
    column += count;
  }
}

static void dw_direct_f32(const DepthwiseF32Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  // Columns whose windows need no padding.
  const int reach = (s.kernel_w - 1) * s.dilation_w;
  const int free = s.width - 1 - reach + s.left;
  const int first = s.left > 0 ? (s.left + s.stride_w - 1) / s.stride_w : 0;
  const int last = free < 0 ? 0 : free / s.stride_w + 1;
  const DwColumns columns = dw_columns(s);
  const Span span = split((int64_t)s.batch * s.out_height * s.out_width, w, kDwPixels);
  for (int64_t at = span.begin; at < span.end;) {
    const int64_t line = at / s.out_width;
    const int begin = (int)(at % s.out_width);
    const int64_t rest = span.end - line * s.out_width;
    const int end = rest < s.out_width ? (int)rest : s.out_width;
    const int image = (int)(line / s.out_height), i = (int)(line % s.out_height);
    const DwRow row = dw_row(p, image, i, 1);
    at += end - begin;
    if (columns != nullptr) {
      columns(p, row, begin, end);
      finish(p.tails, (at - (end - begin)) * s.outputs, at * s.outputs);
      continue;
    }
    const int left = first < begin ? begin : first < end ? first : end;
    const int right = last < left ? left : last < end ? last : end;
    dw_border(p, row, begin, left, w.scratch);
    dw_interior(p, row, left, right, w.scratch);
    dw_border(p, row, right, end, w.scratch);
    finish(p.tails, (at - (end - begin)) * s.outputs, at * s.outputs);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
