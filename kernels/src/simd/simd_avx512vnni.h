// Sixteen lanes: AVX-512 F, BW, DQ, VL and VNNI.
#pragma once

#include <immintrin.h>

// GCC 12's own headers trip this once inlined: their "undefined" vectors are initialized with
// themselves (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace linnet {
namespace LINNET_ISA {

constexpr int kLanes = 16;
constexpr bool kHasFma = true;
constexpr bool kHasDot = true;
constexpr bool kHasDotS8 = false;
typedef __m512 F;
typedef int32_t I __attribute__((vector_size(64), may_alias));

LINNET_INLINE __m512i raw(I x) { return (__m512i)x; }
LINNET_INLINE __mmask16 first_lanes(int n) {
  return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1);
}
LINNET_INLINE F load_f(const float* p) { return _mm512_loadu_ps(p); }
LINNET_INLINE void store_f(float* p, F x) { _mm512_storeu_ps(p, x); }
LINNET_INLINE I load_i(const int32_t* p) { return (I)_mm512_loadu_si512(p); }
LINNET_INLINE void store_i(int32_t* p, I x) { _mm512_storeu_si512(p, raw(x)); }
LINNET_INLINE F load_f(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
LINNET_INLINE void store_f(float* p, F x, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }
LINNET_INLINE I load_i(const int32_t* p, int n) {
  return (I)_mm512_maskz_loadu_epi32(first_lanes(n), p);
}
LINNET_INLINE void store_i(int32_t* p, I x, int n) {
  _mm512_mask_storeu_epi32(p, first_lanes(n), raw(x));
}
LINNET_INLINE F repeat2_f(const float* p) {
  double pair;
  memcpy(&pair, p, sizeof pair);
  return _mm512_castpd_ps(_mm512_set1_pd(pair));
}
LINNET_INLINE F repeat4_f(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
LINNET_INLINE F repeat8_f(const float* p) { return _mm512_broadcast_f32x8(_mm256_loadu_ps(p)); }
LINNET_INLINE F splat_f(float x) { return _mm512_set1_ps(x); }
LINNET_INLINE I splat_i(int32_t x) { return (I)_mm512_set1_epi32(x); }
LINNET_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
LINNET_INLINE F min_f(F a, F b) { return _mm512_min_ps(a, b); }
LINNET_INLINE F max_f(F a, F b) { return _mm512_max_ps(a, b); }
LINNET_INLINE F to_f(I x) { return _mm512_cvtepi32_ps(raw(x)); }
LINNET_INLINE I to_i_round(F x) { return (I)_mm512_cvtps_epi32(x); }
LINNET_INLINE I to_i_trunc(F x) { return (I)_mm512_cvttps_epi32(x); }
LINNET_INLINE I as_i(F x) { return (I)_mm512_castps_si512(x); }
LINNET_INLINE F as_f(I x) { return _mm512_castsi512_ps(raw(x)); }
// Written so that a comparison's mask is used as it is.
LINNET_INLINE F select(I mask, F a, F b) { return mask ? a : b; }
LINNET_INLINE I select(I mask, I a, I b) { return mask ? a : b; }
LINNET_INLINE F abs_f(F x) { return _mm512_abs_ps(x); }
LINNET_INLINE F sqrt_f(F x) { return _mm512_sqrt_ps(x); }
LINNET_INLINE F floor_f(F x) { return _mm512_floor_ps(x); }
LINNET_INLINE I load_s8(const int8_t* p) {
  return (I)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p));
}
LINNET_INLINE I load_u8(const uint8_t* p) {
  return (I)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
}
LINNET_INLINE I load_s8(const int8_t* p, int n) {
  return (I)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p));
}
LINNET_INLINE I load_u8(const uint8_t* p, int n) {
  return (I)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p));
}
LINNET_INLINE void store_s8(int8_t* p, I x) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(raw(x)));
}
// The unsigned narrowing treats its input as unsigned, hence the maximum with zero.
LINNET_INLINE __m128i bytes_u8(I x) {
  return _mm512_cvtusepi32_epi8(_mm512_max_epi32(raw(x), _mm512_setzero_si512()));
}
LINNET_INLINE void store_u8(uint8_t* p, I x) { _mm_storeu_si128((__m128i*)p, bytes_u8(x)); }
LINNET_INLINE void store_s8(int8_t* p, I x, int n) {
  _mm_mask_storeu_epi8(p, first_lanes(n), _mm512_cvtsepi32_epi8(raw(x)));
}
LINNET_INLINE void store_u8(uint8_t* p, I x, int n) {
  _mm_mask_storeu_epi8(p, first_lanes(n), bytes_u8(x));
}
LINNET_INLINE I madd16(I a, I b) { return (I)_mm512_madd_epi16(raw(a), raw(b)); }
LINNET_INLINE I add_madd16(I c, I a, I b) { return (I)_mm512_dpwssd_epi32(raw(c), raw(a), raw(b)); }
LINNET_INLINE I dot_u8s8(I c, I a, I b) { return (I)_mm512_dpbusd_epi32(raw(c), raw(a), raw(b)); }
LINNET_INLINE I load_pairs_s8(const int8_t* p) {
  return (I)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)p));
}

struct ByteBounds {
  __m512i zero, low, high;
};
LINNET_INLINE ByteBounds byte_bounds(int zero, int low, int high) {
  return {_mm512_set1_epi16((short)zero), _mm512_set1_epi8((char)low),
          _mm512_set1_epi8((char)high)};
}
template <int N>
LINNET_INLINE void store_s8_clipped(int8_t* p, const I (&x)[N], const ByteBounds& b, int n) {
  const __m512i none = _mm512_setzero_si512();
  __m512i low = _mm512_packs_epi32(raw(x[0]), N > 1 ? raw(x[N > 1 ? 1 : 0]) : none);
  low = _mm512_adds_epi16(low, b.zero);
  __m512i high = none;
  if constexpr (N > 2) {
    high = _mm512_packs_epi32(raw(x[2]), N > 3 ? raw(x[N > 3 ? 3 : 0]) : none);
    high = _mm512_adds_epi16(high, b.zero);
  }
  // Packing works within 128-bit lanes: lane L holds four bytes of each x; put x by x again.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
  bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, b.low), b.high);
  const int count = n < 16 * N ? n : 16 * N;
  const __mmask64 mask = count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
  _mm512_mask_storeu_epi8(p, mask, bytes);
}

LINNET_INLINE F scale_f(F x, I n) { return _mm512_scalef_ps(x, to_f(n)); }
// A step of Newton's on an estimate: the divider takes four times as long.
LINNET_INLINE F divide_f(F a, F b) {
  const F inverse = _mm512_rcp14_ps(b);
  const F guess = a * inverse;
  return fma(_mm512_fnmadd_ps(guess, b, a), inverse, guess);
}

}  // namespace LINNET_ISA
}  // namespace linnet
