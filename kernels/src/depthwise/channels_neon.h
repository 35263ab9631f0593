// int8 depthwise convolution on ISAs that multiply vectors of channels as they are stored: no taps
// are interleaved. Products of two taps add up in 16 bits where all weights allow it (bytes),
// otherwise single products in 32 bits (words).
#pragma once

#include "depthwise/lanes.h"
#include "depthwise/units.h"

#if defined(LINNET_NEON) && !defined(__ARM_FEATURE_DOTPROD)

namespace linnet {
namespace LINNET_ISA {

namespace {
template <class T>
struct DirectReader {
  typedef int8_t Value;
  typedef T Raw;
  int zero;
  Raw padding() const { return (Raw)zero; }
  Raw one(int8_t value) const { return value; }
  void unit(Raw* to, const int8_t* from) const { sixteen(to, from); }
  void sixteen(int8_t* to, const int8_t* from) const { vst1q_s8(to, vld1q_s8(from)); }
  void sixteen(int16_t* to, const int8_t* from) const {
    const int8x16_t x = vld1q_s8(from);
    vst1q_s16(to, vmovl_s8(vget_low_s8(x)));
    vst1q_s16(to + 8, vmovl_s8(vget_high_s8(x)));
  }
};
}  // namespace

// Sums of sixteen channels.
struct DirectSum {
  int32x4_t part[4];
};

LINNET_INLINE void add_wide(DirectSum& sum, int16x8_t low, int16x8_t high) {
  sum.part[0] = vaddw_s16(sum.part[0], vget_low_s16(low));
  sum.part[1] = vaddw_s16(sum.part[1], vget_high_s16(low));
  sum.part[2] = vaddw_s16(sum.part[2], vget_low_s16(high));
  sum.part[3] = vaddw_s16(sum.part[3], vget_high_s16(high));
}

// `kCount` units of one block, `step` values apart; taps two at a time.
template <int kCount>
LINNET_INLINE void direct_sums(DirectSum (&sum)[kCount], const DwSources<int8_t>& in, ptrdiff_t at,
                               ptrdiff_t step, const int8_t* w) {
  int k = 0;
  for (; k + 2 <= in.count; k += 2, w += 2 * kUnit) {
    const int8_t *a = in.places[k] + at, *b = in.places[k + 1] + at;
    const int8x16_t v = vld1q_s8(w), u = vld1q_s8(w + kUnit);
#pragma GCC unroll 4
    for (int x = 0; x < kCount; ++x) {
      const int8x16_t p = vld1q_s8(a + x * step), q = vld1q_s8(b + x * step);
      int16x8_t low = vmull_s8(vget_low_s8(p), vget_low_s8(v));
      int16x8_t high = vmull_s8(vget_high_s8(p), vget_high_s8(v));
      low = vmlal_s8(low, vget_low_s8(q), vget_low_s8(u));
      high = vmlal_s8(high, vget_high_s8(q), vget_high_s8(u));
      add_wide(sum[x], low, high);
    }
  }
  if (k == in.count) return;
  const int8x16_t v = vld1q_s8(w);
#pragma GCC unroll 4
  for (int x = 0; x < kCount; ++x) {
    const int8x16_t p = vld1q_s8(in.places[k] + at + x * step);
    add_wide(sum[x], vmull_s8(vget_low_s8(p), vget_low_s8(v)),
             vmull_s8(vget_high_s8(p), vget_high_s8(v)));
  }
}

template <int kCount>
LINNET_INLINE void direct_sums(DirectSum (&sum)[kCount], const DwSources<int16_t>& in, ptrdiff_t at,
                               ptrdiff_t step, const int16_t* w) {
  for (int k = 0; k < in.count; ++k, w += kUnit) {
    const int16_t* a = in.places[k] + at;
    const int16x8_t low = vld1q_s16(w), high = vld1q_s16(w + 8);
#pragma GCC unroll 4
    for (int x = 0; x < kCount; ++x) {
      const int16x8_t p = vld1q_s16(a + x * step), q = vld1q_s16(a + x * step + 8);
      int32x4_t* part = sum[x].part;
      part[0] = vmlal_s16(part[0], vget_low_s16(p), vget_low_s16(low));
      part[1] = vmlal_s16(part[1], vget_high_s16(p), vget_high_s16(low));
      part[2] = vmlal_s16(part[2], vget_low_s16(q), vget_low_s16(high));
      part[3] = vmlal_s16(part[3], vget_high_s16(q), vget_high_s16(high));
    }
  }
}

LINNET_INLINE void direct_store(const DepthwiseS8Params& p, const DirectSum& sum,
                                const float* scale, int8_t* y, ptrdiff_t room) {
  I stored[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    stored[j] = to_i_round(vmulq_f32(to_f((I)sum.part[j]), load_f(scale + j * kLanes)));
  }
  const ByteBounds bounds = byte_bounds(p.zero_out, p.low, p.high);
  store_s8_clipped(y, stored, bounds, room >= kUnit ? kUnit : (int)room);
}

template <class T, int kCount>
static void direct_units(const DepthwiseS8Params& p, const DwSources<T>& in, ptrdiff_t at,
                         ptrdiff_t step, int block, DwOut<int8_t> out) {
  const T* w = (const T*)p.weights + (ptrdiff_t)block * in.count * kUnit;
  DirectSum sum[kCount];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const int32x4_t start = vld1q_s32(p.bias + (ptrdiff_t)block * kUnit + j * kLanes);
#pragma GCC unroll 4
    for (int x = 0; x < kCount; ++x) sum[x].part[j] = start;
  }
  direct_sums(sum, in, at, step, w);
#pragma GCC unroll 4
  for (int x = 0; x < kCount; ++x) {
    direct_store(p, sum[x], p.scale + (ptrdiff_t)block * kUnit, out.y + x * out.step,
                 out.room - x * out.step);
  }
}

#if defined(__aarch64__)
constexpr int kDirectUnits = 3;
#else
constexpr int kDirectUnits = 1;
#endif

// Units `first`, `first` + cycle ... of a task's `units` in one output row.
template <class T>
static void direct_block(const DepthwiseS8Params& p, const DwSources<T>& in, ptrdiff_t unit_step,
                         int first, int units, int block, DwOut<int8_t> out) {
  const ptrdiff_t step = p.tiles.cycle * unit_step;
  int count = (units - first + p.tiles.cycle - 1) / p.tiles.cycle;
  ptrdiff_t at = (ptrdiff_t)first * unit_step;
  for (; count >= kDirectUnits; count -= kDirectUnits) {
    direct_units<T, kDirectUnits>(p, in, at, step, block, out);
    at += kDirectUnits * step;
    out.y += kDirectUnits * out.step;
    out.room -= kDirectUnits * out.step;
  }
  if (count == 2) direct_units<T, 2>(p, in, at, step, block, out);
  if (count == 1) direct_units<T, 1>(p, in, at, step, block, out);
}

template <class T>
static void direct_blocks(const DepthwiseS8Params& p, const DwSources<T>& in, const DwTask& t,
                          int8_t* y) {
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t row = (ptrdiff_t)s.out_width * s.outputs, step = unit_step(s, p.tiles);
  const ptrdiff_t start = (ptrdiff_t)t.pixel * s.outputs + t.channel;
  if (!p.tiles.flat) {
    direct_block(p, in, step, 0, t.units, t.block, {y + start, s.outputs, row - start});
    return;
  }
  const ptrdiff_t apart = (ptrdiff_t)p.tiles.cycle * kUnit;
  for (int b = 0; b < p.tiles.cycle && b < t.units; ++b) {
    const ptrdiff_t place = start + (ptrdiff_t)b * kUnit;
    direct_block(p, in, step, b, t.units, b, {y + place, apart, row - place});
  }
}

template <class T>
static void channels_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const DirectReader<T> reader = {p.zero_in};
  DwRing<T> ring;
  const ptrdiff_t pixels = p.tiles.raw_pixels * (ptrdiff_t)kUnit;
  const ptrdiff_t size = (p.tiles.flat ? s.stride_w * phase_size(s, p.tiles) : pixels) + kUnit;
  char* memory = place_ring(&ring, s, p.tiles, size, w.scratch);
  const DwSources<T> in = {reinterpret_cast<const T**>(memory), s.kernel_h * s.kernel_w};
  fill_run(ring.padding, (int)size, reader);
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool restart) {
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    for (int slot = 0; restart && slot < p.tiles.slots; ++slot) ring.held[slot] = -1;
    turn_ring(ring, s, p.tiles.slots, i, [&](int row, T* to) {
      copy_row(s, p.tiles, t, x + (ptrdiff_t)row * s.width * s.channels, to, reader);
    });
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const ptrdiff_t place = tap_place(s, p.tiles, kx);
      for (int ky = 0; ky < s.kernel_h; ++ky) {
        in.places[ky * s.kernel_w + kx] = ring.read[ky] + place;
      }
    }
    direct_blocks(p, in, t, p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs);
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet

#endif
