// Four lanes: NEON of ARMv8-A (aarch64, with byte products where the ISA has them) and of ARMv7-A
// with VFPv4 (armhf).
#pragma once

#include <arm_neon.h>

namespace linnet {
namespace LINNET_ISA {

#define LINNET_NEON 1

constexpr int kLanes = 4;
constexpr bool kHasFma = true;
constexpr bool kHasDot = false;
#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr bool kHasMatrixS8 = true;
#else
constexpr bool kHasMatrixS8 = false;
#endif
typedef int32_t I __attribute__((vector_size(16), may_alias));

LINNET_INLINE int32x4_t raw(I x) { return (int32x4_t)x; }

}  // namespace LINNET_ISA
}  // namespace linnet

#if defined(__aarch64__)
#include "simd/simd_neon64.h"
#else
#include "simd/simd_neon32.h"
#endif

namespace linnet {
namespace LINNET_ISA {

LINNET_INLINE I load_i(const int32_t* p) { return (I)vld1q_s32(p); }
LINNET_INLINE void store_i(int32_t* p, I x) { vst1q_s32(p, raw(x)); }
LINNET_INLINE F repeat2_f(const float* p) {
  const float32x2_t pair = vld1_f32(p);
  return vcombine_f32(pair, pair);
}
LINNET_INLINE F repeat4_f(const float* p) { return load_f(p); }
LINNET_INLINE F load_f(const float* p, int n) {
  float lanes[4] = {0, 0, 0, 0};
  for (int i = 0; i < n && i < 4; ++i) lanes[i] = p[i];
  return load_f(lanes);
}
LINNET_INLINE void store_f(float* p, F x, int n) {
  float lanes[4];
  store_f(lanes, x);
  for (int i = 0; i < n && i < 4; ++i) p[i] = lanes[i];
}
LINNET_INLINE I load_i(const int32_t* p, int n) {
  int32_t lanes[4] = {0, 0, 0, 0};
  for (int i = 0; i < n && i < 4; ++i) lanes[i] = p[i];
  return load_i(lanes);
}
LINNET_INLINE void store_i(int32_t* p, I x, int n) {
  int32_t lanes[4];
  store_i(lanes, x);
  for (int i = 0; i < n && i < 4; ++i) p[i] = lanes[i];
}
LINNET_INLINE I splat_i(int32_t x) { return (I)vdupq_n_s32(x); }
LINNET_INLINE I select(I mask, I a, I b) { return (I)vbslq_s32((uint32x4_t)mask, raw(a), raw(b)); }

// Four bytes at any address, in the low half of a vector.
LINNET_INLINE int8x8_t four_bytes(const void* p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return vreinterpret_s8_s32(vdup_n_s32(word));
}
LINNET_INLINE I load_s8(const int8_t* p) {
  return (I)vmovl_s16(vget_low_s16(vmovl_s8(four_bytes(p))));
}
LINNET_INLINE I load_u8(const uint8_t* p) {
  const uint8x8_t bytes = vreinterpret_u8_s8(four_bytes(p));
  return (I)vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
}
LINNET_INLINE I load_s8(const int8_t* p, int n) {
  int8_t lanes[4] = {0, 0, 0, 0};
  for (int i = 0; i < n && i < 4; ++i) lanes[i] = p[i];
  return load_s8(lanes);
}
LINNET_INLINE I load_u8(const uint8_t* p, int n) {
  uint8_t lanes[4] = {0, 0, 0, 0};
  for (int i = 0; i < n && i < 4; ++i) lanes[i] = p[i];
  return load_u8(lanes);
}
LINNET_INLINE void store_s8(int8_t* p, I x) {
  const int16x4_t words = vqmovn_s32(raw(x));
  const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
  const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
  memcpy(p, &four, sizeof four);
}
LINNET_INLINE void store_u8(uint8_t* p, I x) {
  const int16x4_t words = vqmovn_s32(raw(x));
  const uint8x8_t bytes = vqmovun_s16(vcombine_s16(words, words));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  memcpy(p, &four, sizeof four);
}
LINNET_INLINE void store_s8(int8_t* p, I x, int n) {
  int8_t lanes[4];
  store_s8(lanes, x);
  for (int i = 0; i < n && i < 4; ++i) p[i] = lanes[i];
}
LINNET_INLINE void store_u8(uint8_t* p, I x, int n) {
  uint8_t lanes[4];
  store_u8(lanes, x);
  for (int i = 0; i < n && i < 4; ++i) p[i] = lanes[i];
}
LINNET_INLINE I load_pairs_s8(const int8_t* p) {
  return (I)vreinterpretq_s32_s16(vmovl_s8(vld1_s8(p)));
}
LINNET_INLINE I madd16(I a, I b) {
  const int16x8_t x = vreinterpretq_s16_s32(raw(a)), y = vreinterpretq_s16_s32(raw(b));
  const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
  const int32x4_t high = vmull_s16(vget_high_s16(x), vget_high_s16(y));
  return (I)add_pairs(low, high);
}
LINNET_INLINE I add_madd16(I c, I a, I b) { return (I)vaddq_s32(raw(c), raw(madd16(a, b))); }

struct ByteBounds {
  int16x8_t zero;
  int8x16_t low, high;
};
LINNET_INLINE ByteBounds byte_bounds(int zero, int low, int high) {
  return {vdupq_n_s16((int16_t)zero), vdupq_n_s8((int8_t)low), vdupq_n_s8((int8_t)high)};
}
// Eight int32 as int16, zero point added, saturated at both steps.
LINNET_INLINE int16x8_t stored_words(I a, I b, const ByteBounds& bounds) {
  return vqaddq_s16(vcombine_s16(vqmovn_s32(raw(a)), vqmovn_s32(raw(b))), bounds.zero);
}
// clip(x + zero, low, high) as bytes; those beyond the N vectors repeat others.
template <int N>
LINNET_INLINE int8x16_t clipped_s8(const I (&x)[N], const ByteBounds& b) {
  static_assert(N <= 4, "four vectors fill 16 bytes");
  const int8x8_t first = vqmovn_s16(stored_words(x[0], x[N > 1 ? 1 : 0], b));
  int8x8_t last = first;
  if constexpr (N > 2) last = vqmovn_s16(stored_words(x[2], x[N - 1], b));
  return vminq_s8(vmaxq_s8(vcombine_s8(first, last), b.low), b.high);
}
template <int N>
LINNET_INLINE void store_s8_clipped(int8_t* p, const I (&x)[N], const ByteBounds& b, int n) {
  const int8x16_t bytes = clipped_s8(x, b);
  if (N == 4 && n >= 16) {
    vst1q_s8(p, bytes);
  } else if (N == 2 && n >= 8) {
    vst1_s8(p, vget_low_s8(bytes));
  } else if (N == 1 && n >= 4) {
    const int32_t four = vgetq_lane_s32(vreinterpretq_s32_s8(bytes), 0);
    memcpy(p, &four, sizeof four);
  } else {
    int8_t lanes[16];
    vst1q_s8(lanes, bytes);
    for (int i = 0; i < n && i < 4 * N; ++i) p[i] = lanes[i];
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
