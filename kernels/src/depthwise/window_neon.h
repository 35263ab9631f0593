// int8 depthwise convolution with a kernel of 3 x 3 in NEON without dot products: weights and three
// columns of the image stay in registers while the kernel moves along a row. Sixteen channels with
// products of two taps added up in 16 bits, or eight where weights are wider than bytes.
#pragma once

#include "depthwise/columns_neon64.h"
#include "depthwise/image_rows.h"

#if defined(LINNET_NEON) && !defined(__ARM_FEATURE_DOTPROD)

namespace linnet {
namespace LINNET_ISA {

// Products of the upper eight bytes.
#if defined(__aarch64__)
LINNET_INLINE int16x8_t multiply_high(int8x16_t a, int8x16_t b) { return vmull_high_s8(a, b); }
LINNET_INLINE int16x8_t add_high(int16x8_t c, int8x16_t a, int8x16_t b) {
  return vmlal_high_s8(c, a, b);
}
LINNET_INLINE int32x4_t add_high(int32x4_t c, int16x8_t a, int16x8_t b) {
  return vmlal_high_s16(c, a, b);
}
#else
LINNET_INLINE int16x8_t multiply_high(int8x16_t a, int8x16_t b) {
  return vmull_s8(vget_high_s8(a), vget_high_s8(b));
}
LINNET_INLINE int16x8_t add_high(int16x8_t c, int8x16_t a, int8x16_t b) {
  return vmlal_s8(c, vget_high_s8(a), vget_high_s8(b));
}
LINNET_INLINE int32x4_t add_high(int32x4_t c, int16x8_t a, int16x8_t b) {
  return vmlal_s16(c, vget_high_s16(a), vget_high_s16(b));
}
#endif

namespace {
struct NarrowTaps {
  typedef int8x16_t Taps;
  typedef int8_t Weight;
  static constexpr int kChannels = 16;
  static constexpr int kParts = 4;
  LINNET_INLINE Taps load(const int8_t* p) { return vld1q_s8(p); }
  LINNET_INLINE Taps load_weight(const int8_t* p) { return vld1q_s8(p); }
  LINNET_INLINE void store(int8_t* p, int8x16_t bytes) { vst1q_s8(p, bytes); }
  LINNET_INLINE void add(int32x4_t (&sum)[4], int16x8_t low, int16x8_t high) {
    sum[0] = vaddw_s16(sum[0], vget_low_s16(low));
    sum[1] = vaddw_s16(sum[1], vget_high_s16(low));
    sum[2] = vaddw_s16(sum[2], vget_low_s16(high));
    sum[3] = vaddw_s16(sum[3], vget_high_s16(high));
  }
  LINNET_INLINE void pair(int32x4_t (&sum)[4], Taps a, Taps b, const Taps* weights) {
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(weights[0])),
                                   vget_low_s8(b), vget_low_s8(weights[1]));
    const int16x8_t high = add_high(multiply_high(a, weights[0]), b, weights[1]);
    add(sum, low, high);
  }
  LINNET_INLINE void multiply(int32x4_t (&sum)[4], const Taps (&weights)[9], const Taps (&a)[3],
                              const Taps (&b)[3], const Taps (&c)[3]) {
    pair(sum, a[0], b[0], weights + 0);
    pair(sum, c[0], a[1], weights + 2);
    pair(sum, b[1], c[1], weights + 4);
    pair(sum, a[2], b[2], weights + 6);
    add(sum, vmull_s8(vget_low_s8(c[2]), vget_low_s8(weights[8])), multiply_high(c[2], weights[8]));
  }
};

struct WideTaps {
  typedef int16x8_t Taps;
  typedef int16_t Weight;
  static constexpr int kChannels = 8;
  static constexpr int kParts = 2;
  LINNET_INLINE Taps load(const int8_t* p) { return vmovl_s8(vld1_s8(p)); }
  LINNET_INLINE Taps load_weight(const int16_t* p) { return vld1q_s16(p); }
  LINNET_INLINE void store(int8_t* p, int8x16_t bytes) { vst1_s8(p, vget_low_s8(bytes)); }
  LINNET_INLINE void multiply(int32x4_t (&sum)[2], const Taps (&weights)[9], const Taps (&a)[3],
                              const Taps (&b)[3], const Taps (&c)[3]) {
    const Taps taps[9] = {a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]};
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) {
      sum[0] = vmlal_s16(sum[0], vget_low_s16(taps[k]), vget_low_s16(weights[k]));
      sum[1] = add_high(sum[1], taps[k], weights[k]);
    }
  }
};

template <class Kind>
struct WindowColumn {
  typename Kind::Taps row[3];
};
}  // namespace

// One row of outputs of Kind::kChannels channels; constants begin at those channels'.
template <class Kind>
static void window_row(const DepthwiseS8Params& p, const ImageRows rows,
                       const typename Kind::Weight* weights, const int32_t* bias,
                       const float* scale, int8_t* y) {
  typedef WindowColumn<Kind> Column;
  typename Kind::Taps taken[9];
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) taken[k] = Kind::load_weight(weights + k * kUnit);
  const ptrdiff_t step = p.shape.outputs;
  const ByteBounds bounds = byte_bounds(p.zero_out, p.low, p.high);
  const auto at = [=](int column) __attribute__((always_inline)) {
    Column c;
    for (int k = 0; k < 3; ++k) c.row[k] = Kind::load(safe_place(rows, k, column));
    return c;
  };
  const auto inside = [=](int column) __attribute__((always_inline)) {
    Column c;
    for (int k = 0; k < 3; ++k) c.row[k] = Kind::load(rows.row[k] + column * rows.step[k]);
    return c;
  };
  const auto out = [&](const Column& a, const Column& b,
                       const Column& c) __attribute__((always_inline)) {
    int32x4_t sum[Kind::kParts];
#pragma GCC unroll 4
    for (int n = 0; n < Kind::kParts; ++n) sum[n] = vld1q_s32(bias + n * kLanes);
    Kind::multiply(sum, taken, a.row, b.row, c.row);
    I stored[Kind::kParts];
#pragma GCC unroll 4
    for (int n = 0; n < Kind::kParts; ++n) {
      stored[n] = to_i_round(vmulq_f32(to_f((I)sum[n]), load_f(scale + n * kLanes)));
    }
    return clipped_s8(stored, bounds);
  };
  const auto put = [=](int j, int8x16_t bytes)
                       __attribute__((always_inline)) { Kind::store(y + j * step, bytes); };
  move_columns<Column>(rows, p.shape.stride_w, p.shape.out_width, at, inside, out, put);
}

template <class Kind>
static void window_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  int8_t padding[kUnit];
  for (int n = 0; n < kUnit; ++n) padding[n] = (int8_t)p.zero_in;
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool) {
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    const auto* weights = (const typename Kind::Weight*)p.weights + (ptrdiff_t)t.block * 9 * kUnit;
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs + t.channel;
    for (int n = 0; n < kUnit; n += Kind::kChannels) {
      const ptrdiff_t first = (ptrdiff_t)t.block * kUnit + n;
      const ImageRows rows = image_rows(s, x, i, t.channel + n, padding);
      window_row<Kind>(p, rows, weights + n, p.bias + first, p.scale + first, y + n);
    }
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet

#endif
