// Depthwise convolution of int16 activations: a lane holds one activation and its weight.
#pragma once

#include "int16/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kPixelsTogether = 4;

// Where output row `i` of image `n` and its pixel `j` read.
struct DepthwisePlace {
  const int16_t* image;
  int row, column;
};

// Output channels e, e + 1, ... of one tap: their inputs lie side by side, or each serves several.
LINNET_INLINE I load_tap(const DepthwiseShape& s, const int16_t* pixel, int e) {
  if (s.multiplier == 1) return load_s16(pixel + e);
  int32_t lanes[kLanes];
  for (int n = 0; n < kLanes; ++n) {
    lanes[n] = e + n < s.outputs ? pixel[(e + n) / s.multiplier] : 0;
  }
  return load_i(lanes);
}

LINNET_INLINE void store_outputs(const DepthwiseS16Params& p, int16_t* y, I sum, int e) {
  const F low = to_f(splat_i(p.low - p.zero_out)), high = to_f(splat_i(p.high - p.zero_out));
  const I steps = to_i_round(clamp_f(to_f(sum) * load_f(p.scale + e), low, high));
  const int left = p.shape.outputs - e;
  if (left >= kLanes) {
    store_s16(y + e, steps + splat_i(p.zero_out));
  } else {
    store_s16(y + e, steps + splat_i(p.zero_out), left);
  }
}

// kPixels neighboring outputs; more than one only where no column lies outside the image.
template <int kPixels>
static void make_pixels(const DepthwiseS16Params& p, const DepthwisePlace& at, int16_t* y) {
  const DepthwiseShape& s = p.shape;
  const int padded = (s.outputs + 15) / 16 * 16;
  for (int e = 0; e < s.outputs; e += kLanes) {
    I sum[kPixels];
    for (int n = 0; n < kPixels; ++n) sum[n] = load_i(p.bias + e);
    const int32_t* w = p.weights + e;
    for (int tap_row = 0; tap_row < s.kernel_h; ++tap_row) {
      const int row = at.row + tap_row * s.dilation_h;
      const bool row_inside = row >= 0 && row < s.height;
      if (!row_inside && p.zero_in == 0) {
        w += (ptrdiff_t)s.kernel_w * padded;
        continue;
      }
      for (int tap = 0; tap < s.kernel_w; ++tap, w += padded) {
        const int column = at.column + tap * s.dilation_w;
        const bool inside = row_inside && (kPixels > 1 || (column >= 0 && column < s.width));
        const int16_t* pixel = at.image + ((ptrdiff_t)row * s.width + column) * s.channels;
        const I weight = load_i(w);
#pragma GCC unroll 4
        for (int n = 0; n < kPixels; ++n) {
          const I x = inside ? load_tap(s, pixel + (ptrdiff_t)n * s.stride_w * s.channels, e)
                             : splat_i(p.zero_in);
          sum[n] = add_madd16(sum[n], x, weight);
        }
      }
    }
    for (int n = 0; n < kPixels; ++n) {
      store_outputs(p, y + (ptrdiff_t)n * s.outputs, sum[n], e);
    }
  }
}

// Threads share the output rows.
static void depthwise_rows(const DepthwiseS16Params& p, const Worker& worker) {
  const DepthwiseShape& s = p.shape;
  const Span rows = split((int64_t)s.batch * s.out_height, worker);
  const int span = (s.kernel_w - 1) * s.dilation_w;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    DepthwisePlace at;
    at.image = p.x + row / s.out_height * s.height * s.width * s.channels;
    at.row = (int)(row % s.out_height) * s.stride_h - s.top;
    int16_t* y = p.y + row * s.out_width * s.outputs;
    for (int j = 0; j < s.out_width;) {
      at.column = j * s.stride_w - s.left;
      const int last = at.column + (kPixelsTogether - 1) * s.stride_w + span;
      const bool together = at.column >= 0 && last < s.width && j + kPixelsTogether <= s.out_width;
      if (together) {
        make_pixels<kPixelsTogether>(p, at, y + (ptrdiff_t)j * s.outputs);
      } else {
        make_pixels<1>(p, at, y + (ptrdiff_t)j * s.outputs);
      }
      j += together ? kPixelsTogether : 1;
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
