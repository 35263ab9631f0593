// Rows of words for the int8 depthwise kernel: widen an input row with its padding into raw taps,
// then interleave neighboring taps of each channel into 32-bit lanes.
#pragma once

#include "depthwise/lanes.h"
#include "depthwise/params.h"

namespace linnet {
namespace LINNET_ISA {

// One task: a tile of an output row, and in the pixel mapping a block of channels.
struct DwTask {
  int block;    // first block of the weights
  int channel;  // first output channel (0 in the flat mapping)
  int first;    // first unit of the tile, counted along the row
  int units;    // units to compute
  int pixel;    // first output pixel
  int skip;     // bytes of the row before the first unit
};

// Copies `count` values, widened. Writes up to 15 values more, reads up to 15 bytes more.
LINNET_INLINE void widen_run(Raw* to, const int8_t* from, int count, int zero) {
  int i = 0;
  for (; i + kUnit <= count; i += kUnit) widen_unit(to + i, from + i, zero);
  for (; i < count; i += 16) widen16(to + i, from + i, zero);
}

static void fill_run(Raw* to, int count, Raw value) {
  for (int i = 0; i < count; ++i) to[i] = value;
}

// Output channels [channel, channel + count) of one pixel, each input repeated `multiplier` times.
static void spread_pixel(Raw* to, const int8_t* pixel, int channel, int count, int multiplier,
                         int zero) {
  int input = channel / multiplier, copies = multiplier - channel % multiplier;
  for (int e = 0; e < count; ++input, copies = multiplier) {
    const Raw value = raw_of(pixel[input], zero);
    for (; copies > 0 && e < count; --copies) to[e++] = value;
  }
}

// `count` pixels of `width` channels each, `step` input columns apart from column `from` on;
// columns outside the image hold the zero point. Writes up to 15 values behind the last pixel.
static void raw_pixels(const DepthwiseS8Params& p, const int8_t* row, Raw* to, int from, int step,
                       int count, int channel, int width) {
  const DepthwiseShape& s = p.shape;
  const Raw zero = raw_of(p.zero_in, p.zero_in);
  int q = 0;
  for (; q < count && from + q * step < 0; ++q) fill_run(to + q * width, width, zero);
  int end = q;
  if (from + q * step < s.width) end = (s.width - 1 - from) / step + 1;
  if (end > count) end = count;
  if (end > q && step == 1 && s.multiplier == 1 && width == s.channels) {
    widen_run(to + q * width, row + (ptrdiff_t)(from + q) * width, (end - q) * width, p.zero_in);
    q = end;
  }
  for (; q < end; ++q) {
    const int8_t* pixel = row + (ptrdiff_t)(from + q * step) * s.channels;
    Raw* place = to + q * width;
    if (s.multiplier == 1) {
      widen_run(place, pixel + channel, width, p.zero_in);
    } else {
      spread_pixel(place, pixel, channel, width, s.multiplier, p.zero_in);
    }
  }
  for (; q < count; ++q) fill_run(to + q * width, width, zero);
}

// Where the raw value of tap kx of the task's first unit lies, in values.
LINNET_INLINE ptrdiff_t tap_place(const DepthwiseS8Params& p, int kx) {
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t column = (ptrdiff_t)kx * s.dilation_w;
  if (!p.flat) return column * kUnit;
  const ptrdiff_t phase = (ptrdiff_t)p.raw_pixels * s.outputs + kUnit;
  return column % s.stride_w * phase + column / s.stride_w * s.outputs;
}

static void raw_row(const DepthwiseS8Params& p, const DwTask& t, const int8_t* row, Raw* to) {
  const DepthwiseShape& s = p.shape;
  const int column = t.pixel * s.stride_w - s.left;
  const int reach = (s.kernel_w - 1) * s.dilation_w;
  if (!p.flat) {
    const int pixels = (t.units - 1) * s.stride_w + reach + 1;
    raw_pixels(p, row, to, column, 1, pixels, t.channel, kUnit);
    return;
  }
  const ptrdiff_t phase = (ptrdiff_t)p.raw_pixels * s.outputs + kUnit;
  const int outputs = (t.units * kUnit + s.outputs - 1) / s.outputs;
  for (int i = 0; i < s.stride_w && i <= reach; ++i) {
    const int pixels = outputs + (reach - i) / s.stride_w;
    raw_pixels(p, row, to + i * phase, column + i, s.stride_w, pixels, 0, s.outputs);
  }
}

// Builds the words of one input row.
static void word_row(const DepthwiseS8Params& p, const DwTask& t, const int8_t* row, Raw* raw,
                     int32_t* words) {
  const DepthwiseShape& s = p.shape;
  raw_row(p, t, row, raw);
  const ptrdiff_t step = p.flat ? kUnit : (ptrdiff_t)kUnit * s.stride_w;
  const int units = p.planes == 1 ? t.units + (p.groups - 1) * p.shift : t.units;
  for (int plane = 0; plane < p.planes; ++plane) {
    const Raw* taps[kTaps];
    for (int i = 0; i < kTaps; ++i) {
      const int kx = plane * kTaps + i;
      taps[i] = raw + tap_place(p, kx < s.kernel_w || p.planes == 1 ? kx : 0);
    }
    int32_t* to = words + (ptrdiff_t)plane * p.row_units * kUnit;
    for (int u = 0; u < units; ++u) interleave(to + (ptrdiff_t)u * kUnit, taps, u * step);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
