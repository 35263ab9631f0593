// Eight lanes: AVX2, FMA, F16C.
#pragma once

#include <immintrin.h>

namespace linnet {
namespace LINNET_ISA {

constexpr int kLanes = 8;
constexpr bool kHasFma = true;
constexpr bool kHasDot = false;
constexpr bool kHasDotS8 = false;
typedef __m256 F;
typedef int32_t I __attribute__((vector_size(32), may_alias));

LINNET_INLINE __m256i raw(I x) { return (__m256i)x; }
// Lanes below n are all ones.
LINNET_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
LINNET_INLINE F load_f(const float* p) { return _mm256_loadu_ps(p); }
LINNET_INLINE void store_f(float* p, F x) { _mm256_storeu_ps(p, x); }
LINNET_INLINE I load_i(const int32_t* p) { return (I)_mm256_loadu_si256((const __m256i*)p); }
LINNET_INLINE void store_i(int32_t* p, I x) { _mm256_storeu_si256((__m256i*)p, raw(x)); }
LINNET_INLINE F load_f(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
LINNET_INLINE void store_f(float* p, F x, int n) { _mm256_maskstore_ps(p, first_lanes(n), x); }
LINNET_INLINE I load_i(const int32_t* p, int n) {
  return (I)_mm256_maskload_epi32(p, first_lanes(n));
}
LINNET_INLINE void store_i(int32_t* p, I x, int n) {
  _mm256_maskstore_epi32(p, first_lanes(n), raw(x));
}
LINNET_INLINE F repeat2_f(const float* p) {
  double pair;
  memcpy(&pair, p, sizeof pair);
  return _mm256_castpd_ps(_mm256_set1_pd(pair));
}
LINNET_INLINE F repeat4_f(const float* p) { return _mm256_broadcast_ps((const __m128*)p); }
LINNET_INLINE F repeat8_f(const float* p) { return load_f(p); }
LINNET_INLINE F splat_f(float x) { return _mm256_set1_ps(x); }
LINNET_INLINE I splat_i(int32_t x) { return (I)_mm256_set1_epi32(x); }
LINNET_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
LINNET_INLINE F min_f(F a, F b) { return _mm256_min_ps(a, b); }
LINNET_INLINE F max_f(F a, F b) { return _mm256_max_ps(a, b); }
LINNET_INLINE F to_f(I x) { return _mm256_cvtepi32_ps(raw(x)); }
LINNET_INLINE I to_i_round(F x) { return (I)_mm256_cvtps_epi32(x); }
LINNET_INLINE I to_i_trunc(F x) { return (I)_mm256_cvttps_epi32(x); }
LINNET_INLINE I as_i(F x) { return (I)_mm256_castps_si256(x); }
LINNET_INLINE F as_f(I x) { return _mm256_castsi256_ps(raw(x)); }
LINNET_INLINE F select(I mask, F a, F b) { return _mm256_blendv_ps(b, a, as_f(mask)); }
LINNET_INLINE I select(I mask, I a, I b) {
  return (I)_mm256_blendv_epi8(raw(b), raw(a), raw(mask));
}
LINNET_INLINE F abs_f(F x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
LINNET_INLINE F sqrt_f(F x) { return _mm256_sqrt_ps(x); }
LINNET_INLINE F floor_f(F x) { return _mm256_floor_ps(x); }
LINNET_INLINE I load_s8(const int8_t* p) {
  return (I)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p));
}
LINNET_INLINE I load_u8(const uint8_t* p) {
  return (I)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
}
LINNET_INLINE I load_s8(const int8_t* p, int n) {
  int8_t lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < n && i < 8; ++i) lanes[i] = p[i];
  return load_s8(lanes);
}
LINNET_INLINE I load_u8(const uint8_t* p, int n) {
  uint8_t lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < n && i < 8; ++i) lanes[i] = p[i];
  return load_u8(lanes);
}
LINNET_INLINE __m128i words_of(I x) {
  return _mm_packs_epi32(_mm256_castsi256_si128(raw(x)), _mm256_extracti128_si256(raw(x), 1));
}
LINNET_INLINE void store_s8(int8_t* p, I x) {
  const __m128i words = words_of(x);
  _mm_storel_epi64((__m128i*)p, _mm_packs_epi16(words, words));
}
LINNET_INLINE void store_u8(uint8_t* p, I x) {
  const __m128i words = words_of(x);
  _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(words, words));
}
LINNET_INLINE void store_s8(int8_t* p, I x, int n) {
  int8_t lanes[8];
  store_s8(lanes, x);
  for (int i = 0; i < n && i < 8; ++i) p[i] = lanes[i];
}
LINNET_INLINE void store_u8(uint8_t* p, I x, int n) {
  uint8_t lanes[8];
  store_u8(lanes, x);
  for (int i = 0; i < n && i < 8; ++i) p[i] = lanes[i];
}
LINNET_INLINE I madd16(I a, I b) { return (I)_mm256_madd_epi16(raw(a), raw(b)); }
// Left to add, GCC sums up products of several steps before, for which registers lack.
LINNET_INLINE I add_madd16(I c, I a, I b) {
  I products;
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(c), "=&x"(products) : "x"(a), "x"(b));
  return c;
}
LINNET_INLINE I add_madd16(I c, I a, const I* b) {
  I products;
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(c), "=&x"(products) : "x"(a), "m"(*b));
  return c;
}
LINNET_INLINE I load_pairs_s8(const int8_t* p) {
  return (I)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p));
}

struct ByteBounds {
  __m256i zero;
  __m128i low, high;
};
LINNET_INLINE ByteBounds byte_bounds(int zero, int low, int high) {
  return {_mm256_set1_epi16((short)zero), _mm_set1_epi8((char)low), _mm_set1_epi8((char)high)};
}
template <int N>
LINNET_INLINE void store_s8_clipped(int8_t* p, const I (&x)[N], const ByteBounds& b, int n) {
  static_assert(N <= 2, "two vectors fill 16 bytes");
  __m256i words = _mm256_packs_epi32(raw(x[0]), raw(x[N - 1]));
  words = _mm256_adds_epi16(_mm256_permute4x64_epi64(words, 0xd8), b.zero);
  __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  bytes = _mm_min_epi8(_mm_max_epi8(bytes, b.low), b.high);
  if (N == 2 && n >= 16) {
    _mm_storeu_si128((__m128i*)p, bytes);
  } else if (N == 1 && n >= 8) {
    _mm_storel_epi64((__m128i*)p, bytes);
  } else {
    int8_t lanes[16];
    _mm_storeu_si128((__m128i*)lanes, bytes);
    for (int i = 0; i < n && i < 16; ++i) p[i] = lanes[i];
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
