// The vector vocabulary of ISA units: types and helpers named alike on every ISA.
//
// F is a vector of kLanes floats, I of kLanes int32; + - * / and comparisons are the compiler's
// own. Each simd_<isa>.h defines, beside those two:
//
// - load_f, store_f, load_i, store_i: unaligned; with a count they touch only that many lanes.
// - splat_f, splat_i: one value in every lane.
// - repeat2_f, repeat4_f, repeat8_f (up to kLanes): so many floats from memory, over and over.
// - fma(a, b, c): a * b + c, fused where kHasFma.
// - min_f, max_f: the second operand where either is NaN.
// - to_f, to_i_round, to_i_trunc: int32 <-> float; round is half to even.
// - floor_f, sqrt_f, abs_f: per lane.
// - scale_f(x, n): x * 2^n for n in [-252, 254]. divide_f(a, b): a / b within 1 ulp for b in
//   [2^-100, 2^100].
// - load_s8, load_u8: kLanes bytes (or the first so many) widened to int32.
// - store_s8, store_u8: int32 saturated to bytes, all lanes or the first so many.
// - as_i, as_f: reinterpret bits.
// - select(mask, a, b): mask lanes are 0 or -1.
// - store_s8_clipped(p, x[N], b, n): N vectors as clip(x + zero, low, high), the first n bytes;
//   b = byte_bounds(zero, low, high); N <= 4 with 16 lanes, else 2.
// - load_pairs_s8: 2 * kLanes bytes widened to int16, for madd16.
// - madd16(a, b): int16 pairs: a0 * b0 + a1 * b1 in int32, exact; add_madd16(c, a, b): c + those.
// - dot_u8s8(c, a, b): c + four u8 * s8 products per lane, exact (if kHasDot).
// - dot_s8s8(c, a, b): c + four s8 * s8 products per lane, exact (if kHasDotS8).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LINNET_INLINE static inline __attribute__((always_inline, unused))

#if defined(LINNET_ISA_avx512vnni)
#include "simd/simd_avx512vnni.h"
#elif defined(LINNET_ISA_avx2)
#include "simd/simd_avx2.h"
#elif defined(__SSE2__)
#include "simd/simd_sse2.h"
#elif defined(__ARM_NEON)
#include "simd/simd_neon.h"
#else
#error "no vector header for this ISA"
#endif

namespace linnet {
namespace LINNET_ISA {

#if !defined(__AVX512F__)
LINNET_INLINE F scale_f(F x, I n) {
  const I half = n >> 1;
  return x * as_f((half + 127) << 23) * as_f((n - half + 127) << 23);
}
LINNET_INLINE F divide_f(F a, F b) { return a / b; }
#endif

// sum += a * b. Left to choose which operand the result takes the place of, GCC moves sums about
// between registers and to the stack.
LINNET_INLINE void add_product(F& sum, F a, F b) {
#if defined(__FMA__)
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
  sum = fma(a, b, sum);
#endif
}

// Brings a line of memory near: to the first cache, or only to the second.
LINNET_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
LINNET_INLINE void prefetch_second(const void* p) { __builtin_prefetch(p, 0, 2); }

LINNET_INLINE F clamp_f(F x, F low, F high) { return min_f(max_f(x, low), high); }

// A 32-bit group of bytes at any address.
LINNET_INLINE int32_t load_word(const void* p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

// kLanes int16, or the first n of them, widened to int32; and back, where every lane fits.
typedef int16_t HalfWords __attribute__((vector_size(2 * kLanes), may_alias));
LINNET_INLINE I load_s16(const int16_t* p) {
#if defined(LINNET_NEON)  // GCC 12 would convert lane by lane
  return (I)vmovl_s16(vld1_s16(p));
#else
  HalfWords x;
  memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, I);
#endif
}
LINNET_INLINE I load_s16(const int16_t* p, int n) {
  int16_t lanes[kLanes] = {0};
  for (int i = 0; i < n && i < kLanes; ++i) lanes[i] = p[i];
  return load_s16(lanes);
}
LINNET_INLINE void store_s16(int16_t* p, I x) {
  const HalfWords words = __builtin_convertvector(x, HalfWords);
  memcpy(p, &words, sizeof words);
}
LINNET_INLINE void store_s16(int16_t* p, I x, int n) {
  int16_t lanes[kLanes];
  store_s16(lanes, x);
  for (int i = 0; i < n && i < kLanes; ++i) p[i] = lanes[i];
}

// kCount floats from memory, over and over.
template <int kCount>
LINNET_INLINE F repeat_f(const float* p) {
  if constexpr (kCount == 1) return splat_f(*p);
  if constexpr (kCount == kLanes) return load_f(p);
  if constexpr (kCount == 2) return repeat2_f(p);
  if constexpr (kCount == 4) return repeat4_f(p);
#if defined(__AVX2__)
  if constexpr (kCount == 8) return repeat8_f(p);
#endif
}

// Lane n = lane 2 n + lane 2 n + 1, for the first half of the lanes.
LINNET_INLINE F pair_sum(F x) {
  I even, odd;
  for (int i = 0; i < kLanes; ++i) {
    even[i] = 2 * i % kLanes;
    odd[i] = (2 * i + 1) % kLanes;
  }
  return __builtin_shuffle(x, even) + __builtin_shuffle(x, odd);
}

LINNET_INLINE float sum_f(F x) {
  float lanes[kLanes];
  store_f(lanes, x);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

LINNET_INLINE float max_of_f(F x) {
  float lanes[kLanes];
  store_f(lanes, x);
  float best = lanes[0];
  for (int i = 1; i < kLanes; ++i) best = lanes[i] > best ? lanes[i] : best;
  return best;
}

LINNET_INLINE int32_t sum_i(I x) {
  int32_t lanes[kLanes];
  store_i(lanes, x);
  int32_t total = 0;
  for (int i = 0; i < kLanes; ++i) total += lanes[i];
  return total;
}

}  // namespace LINNET_ISA
}  // namespace linnet
