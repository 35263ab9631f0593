// Byte and 16-bit vectors, and extremes that keep NaN, for the pooling and reduction kernels.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A full register of bytes; half a register of bytes, which widens to a full register of int16.
constexpr int kBytes = 4 * kLanes;
typedef int8_t B __attribute__((vector_size(4 * kLanes), may_alias));
typedef int16_t S __attribute__((vector_size(4 * kLanes), may_alias));

LINNET_INLINE B load_b(const int8_t* p) {
  B x;
  memcpy(&x, p, sizeof x);
  return x;
}
LINNET_INLINE void store_b(int8_t* p, B x) { memcpy(p, &x, sizeof x); }
LINNET_INLINE B splat_b(int value) { return (int8_t)value - B{}; }
LINNET_INLINE B max_b(B a, B b) { return a > b ? a : b; }
LINNET_INLINE B min_b(B a, B b) { return a < b ? a : b; }

LINNET_INLINE I max_i(I a, I b) { return a > b ? a : b; }
LINNET_INLINE I min_i(I a, I b) { return a < b ? a : b; }

LINNET_INLINE S load_s(const int16_t* p) {
  S x;
  memcpy(&x, p, sizeof x);
  return x;
}
LINNET_INLINE void store_s(int16_t* p, S x) { memcpy(p, &x, sizeof x); }
// 2 * kLanes bytes as int16.
LINNET_INLINE S load_bytes_s(const int8_t* p) { return (S)load_pairs_s8(p); }
LINNET_INLINE void widen_add(S sum, I* low, I* high) {
  int16_t lanes[2 * kLanes];
  store_s(lanes, sum);
  *low += load_s16(lanes);
  *high += load_s16(lanes + kLanes);
}

// `value`, but NaN where `held` is.
LINNET_INLINE F keep_nan(F held, F value) {
#if defined(LINNET_ISA_avx512vnni)
  return _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask(held, held, _CMP_UNORD_Q), held);
#else
  return select((I)(held != held), held, value);
#endif
}
LINNET_INLINE F fold_max(F held, F x) { return keep_nan(held, max_f(held, x)); }
LINNET_INLINE F fold_min(F held, F x) { return keep_nan(held, min_f(held, x)); }

// The first `room` lanes, at most all.
LINNET_INLINE void put_f(float* p, F x, int64_t room) {
  if (room >= kLanes) {
    store_f(p, x);
  } else {
    store_f(p, x, (int)room);
  }
}
LINNET_INLINE void put_s8(int8_t* p, I x, int64_t room) {
  if (room >= kLanes) {
    store_s8(p, x);
  } else {
    store_s8(p, x, (int)room);
  }
}
LINNET_INLINE void put_s16(int16_t* p, I x, int64_t room) {
  if (room >= kLanes) {
    store_s16(p, x);
  } else {
    store_s16(p, x, (int)room);
  }
}
LINNET_INLINE void put_b(int8_t* p, B x, int64_t room) {
  if (room >= kBytes) {
    memcpy(p, &x, sizeof x);
  } else {
    memcpy(p, &x, (size_t)room);
  }
}

// Stored outputs of sums: clip(rint(float32(sum) * scale) + zero, low, high).
LINNET_INLINE I rescale(I sum, float scale, int zero, int low, int high) {
  const F real = to_f(sum) * splat_f(scale);
  const F bounded = clamp_f(real, splat_f((float)(low - zero)), splat_f((float)(high - zero)));
  return to_i_round(bounded) + splat_i(zero);
}

}  // namespace LINNET_ISA
}  // namespace linnet
