// Four lanes: x86-64 baseline.
#pragma once

#include <emmintrin.h>

namespace linnet {
namespace LINNET_ISA {

constexpr int kLanes = 4;
constexpr bool kHasFma = false;
constexpr bool kHasDot = false;
constexpr bool kHasDotS8 = false;
typedef __m128 F;
typedef int32_t I __attribute__((vector_size(16), may_alias));

LINNET_INLINE __m128i raw(I x) { return (__m128i)x; }
LINNET_INLINE F load_f(const float* p) { return _mm_loadu_ps(p); }
LINNET_INLINE void store_f(float* p, F x) { _mm_storeu_ps(p, x); }
LINNET_INLINE I load_i(const int32_t* p) { return (I)_mm_loadu_si128((const __m128i*)p); }
LINNET_INLINE void store_i(int32_t* p, I x) { _mm_storeu_si128((__m128i*)p, raw(x)); }
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
LINNET_INLINE F repeat2_f(const float* p) {
  double pair;
  memcpy(&pair, p, sizeof pair);
  return _mm_castpd_ps(_mm_set1_pd(pair));
}
LINNET_INLINE F repeat4_f(const float* p) { return load_f(p); }
LINNET_INLINE F splat_f(float x) { return _mm_set1_ps(x); }
LINNET_INLINE I splat_i(int32_t x) { return (I)_mm_set1_epi32(x); }
LINNET_INLINE F fma(F a, F b, F c) { return a * b + c; }
LINNET_INLINE F min_f(F a, F b) { return _mm_min_ps(a, b); }
LINNET_INLINE F max_f(F a, F b) { return _mm_max_ps(a, b); }
LINNET_INLINE F to_f(I x) { return _mm_cvtepi32_ps(raw(x)); }
LINNET_INLINE I to_i_round(F x) { return (I)_mm_cvtps_epi32(x); }
LINNET_INLINE I to_i_trunc(F x) { return (I)_mm_cvttps_epi32(x); }
LINNET_INLINE I as_i(F x) { return (I)_mm_castps_si128(x); }
LINNET_INLINE F as_f(I x) { return _mm_castsi128_ps(raw(x)); }
LINNET_INLINE F select(I mask, F a, F b) {
  return _mm_or_ps(_mm_and_ps(as_f(mask), a), _mm_andnot_ps(as_f(mask), b));
}
LINNET_INLINE I select(I mask, I a, I b) { return (mask & a) | (~mask & b); }
LINNET_INLINE F abs_f(F x) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), x); }
LINNET_INLINE F sqrt_f(F x) { return _mm_sqrt_ps(x); }
// Magnitudes from 2^23 on are whole already, and int32 cannot hold all of them.
LINNET_INLINE F floor_f(F x) {
  const F whole = to_f(to_i_trunc(x));
  const F down = whole - _mm_and_ps(_mm_cmpgt_ps(whole, x), splat_f(1.0f));
  const F sign = _mm_and_ps(_mm_set1_ps(-0.0f), x);
  const F small = _mm_cmplt_ps(abs_f(x), splat_f(8388608.0f));
  return _mm_or_ps(_mm_and_ps(small, _mm_or_ps(down, sign)), _mm_andnot_ps(small, x));
}
LINNET_INLINE I load_s8(const int8_t* p) {
  const __m128i bytes =
      _mm_cvtsi32_si128(*(const __attribute__((may_alias, aligned(1))) int32_t*)p);
  const __m128i words = _mm_unpacklo_epi8(bytes, bytes);
  return (I)_mm_srai_epi32(_mm_unpacklo_epi16(words, words), 24);
}
LINNET_INLINE I load_u8(const uint8_t* p) {
  const __m128i bytes =
      _mm_cvtsi32_si128(*(const __attribute__((may_alias, aligned(1))) int32_t*)p);
  const __m128i zero = _mm_setzero_si128();
  return (I)_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero);
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
  const __m128i words = _mm_packs_epi32(raw(x), raw(x));
  const int32_t four = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
  memcpy(p, &four, 4);
}
LINNET_INLINE void store_u8(uint8_t* p, I x) {
  const __m128i words = _mm_packs_epi32(raw(x), raw(x));
  const int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  memcpy(p, &four, 4);
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
LINNET_INLINE I madd16(I a, I b) { return (I)_mm_madd_epi16(raw(a), raw(b)); }
LINNET_INLINE I add_madd16(I c, I a, I b) {
  return (I)_mm_add_epi32(raw(c), _mm_madd_epi16(raw(a), raw(b)));
}
LINNET_INLINE I load_pairs_s8(const int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64((const __m128i*)p);
  return (I)_mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}

struct ByteBounds {
  __m128i zero, low, high;
};
LINNET_INLINE ByteBounds byte_bounds(int zero, int low, int high) {
  return {_mm_set1_epi16((short)zero), _mm_set1_epi16((short)low), _mm_set1_epi16((short)high)};
}
template <int N>
LINNET_INLINE void store_s8_clipped(int8_t* p, const I (&x)[N], const ByteBounds& b, int n) {
  static_assert(N <= 2, "two vectors fill eight bytes");
  __m128i words = _mm_adds_epi16(_mm_packs_epi32(raw(x[0]), raw(x[N - 1])), b.zero);
  words = _mm_min_epi16(_mm_max_epi16(words, b.low), b.high);
  const __m128i bytes = _mm_packs_epi16(words, words);
  if (N == 2 && n >= 8) {
    _mm_storel_epi64((__m128i*)p, bytes);
  } else {
    int8_t lanes[16];
    _mm_storeu_si128((__m128i*)lanes, bytes);
    for (int i = 0; i < n && i < 4 * N; ++i) p[i] = lanes[i];
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
