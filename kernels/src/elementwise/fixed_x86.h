// Add and Sub of bytes in whole numbers, 64 at a time: pairs of 16-bit numbers times the two halves
// of the factors.
#pragma once

#include "elementwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(LINNET_ISA_avx512vnni)

constexpr int kFactorBits = 10;

// 32 results of 32-bit sums for 32 pairs of bytes, in the order that packing undoes.
LINNET_INLINE __m512i fixed_words(const int8_t* x, const int8_t* y, __m512i high, __m512i low,
                                  __m512i offset, __m128i shift) {
  const __m512i a = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)x));
  const __m512i b = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)y));
  __m512i sum[2];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m512i pairs = half == 0 ? _mm512_unpacklo_epi16(a, b) : _mm512_unpackhi_epi16(a, b);
    const __m512i upper = _mm512_slli_epi32(_mm512_madd_epi16(pairs, high), kFactorBits);
    const __m512i lower = _mm512_add_epi32(_mm512_madd_epi16(pairs, low), offset);
    sum[half] = _mm512_sra_epi32(_mm512_add_epi32(upper, lower), shift);
  }
  return _mm512_packs_epi32(sum[0], sum[1]);
}

// z = clip(((x * left + y * right + offset) >> shift) + zero) for whole blocks of 64; returns how
// many of n elements are done. |left| and |right| stay below 2^(15 + kFactorBits).
static int64_t add_fixed_blocks(const BinaryS8Params& p, int32_t sign, const int8_t* x,
                                const int8_t* y, int8_t* z, int64_t n) {
  const int32_t left = p.left_fixed, right = sign * p.right_fixed;
  const int32_t mask = (1 << kFactorBits) - 1;
  const uint32_t upper =
      (uint32_t)(uint16_t)(left >> kFactorBits) | (uint32_t)(uint16_t)(right >> kFactorBits) << 16;
  const uint32_t lower = (uint32_t)(left & mask) | (uint32_t)(right & mask) << 16;
  const __m512i high = _mm512_set1_epi32((int32_t)upper), low = _mm512_set1_epi32((int32_t)lower);
  const __m512i offset =
      _mm512_set1_epi32((1 << (p.shift - 1)) - p.x_zero * left - p.y_zero * right);
  const __m128i shift = _mm_cvtsi32_si128(p.shift);
  const __m512i zero = _mm512_set1_epi16((short)p.z_zero);
  const __m512i least = _mm512_set1_epi8((char)p.low), most = _mm512_set1_epi8((char)p.high);
  // Packing works within 128-bit lanes: lane L holds 8 bytes of each half.
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    const __m512i a = fixed_words(x + i, y + i, high, low, offset, shift);
    const __m512i b = fixed_words(x + i + 32, y + i + 32, high, low, offset, shift);
    const __m512i bytes =
        _mm512_packs_epi16(_mm512_adds_epi16(a, zero), _mm512_adds_epi16(b, zero));
    const __m512i ordered = _mm512_permutexvar_epi64(order, bytes);
    _mm512_storeu_si512(z + i, _mm512_min_epi8(_mm512_max_epi8(ordered, least), most));
  }
  return i;
}

#else

static inline int64_t add_fixed_blocks(const BinaryS8Params&, int32_t, const int8_t*, const int8_t*,
                                       int8_t*, int64_t) {
  return 0;
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
