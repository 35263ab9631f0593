// The ISA's way to multiply interleaved taps: how raw bytes are widened, how neighboring taps of a
// channel come to lie in one 32-bit lane, and how sums become bytes again.
//
// kTaps taps share a lane; a unit is kUnit = 4 * kLanes channels in four vectors. The interleave
// leaves channels in an order that `lane_of_channel` (layout.h) describes and `finish` undoes.
#pragma once

#include "depthwise/tiling.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(LINNET_ISA_avx512vnni)

// u8 taps (value + 128), four per lane.
typedef uint8_t Raw;
constexpr int kTaps = 4;

LINNET_INLINE Raw raw_of(int value, int) { return (Raw)(value + 128); }
LINNET_INLINE void widen_unit(Raw* to, const int8_t* from, int) {
  const __m512i flip = _mm512_set1_epi8((char)0x80);
  _mm512_storeu_si512(to, _mm512_xor_si512(_mm512_loadu_si512(from), flip));
}
LINNET_INLINE void widen16(Raw* to, const int8_t* from, int) {
  const __m128i flip = _mm_set1_epi8((char)0x80);
  _mm_storeu_si128((__m128i*)to, _mm_xor_si128(_mm_loadu_si128((const __m128i*)from), flip));
}
LINNET_INLINE void interleave_taps(I* to, __m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_unpacklo_epi8(a, b), ab2 = _mm512_unpackhi_epi8(a, b);
  const __m512i cd = _mm512_unpacklo_epi8(c, d), cd2 = _mm512_unpackhi_epi8(c, d);
  to[0] = (I)_mm512_unpacklo_epi16(ab, cd);
  to[1] = (I)_mm512_unpackhi_epi16(ab, cd);
  to[2] = (I)_mm512_unpacklo_epi16(ab2, cd2);
  to[3] = (I)_mm512_unpackhi_epi16(ab2, cd2);
}
LINNET_INLINE void interleave(I* to, const Raw* const* taps, ptrdiff_t at) {
  interleave_taps(to, _mm512_loadu_si512(taps[0] + at), _mm512_loadu_si512(taps[1] + at),
                  _mm512_loadu_si512(taps[2] + at), _mm512_loadu_si512(taps[3] + at));
}
LINNET_INLINE I dot(I sum, I taps, I weights) { return dot_u8s8(sum, taps, weights); }
LINNET_INLINE __m512i packed(I a, I b, __m512i zero) {
  return _mm512_adds_epi16(_mm512_packs_epi32(raw(a), raw(b)), zero);
}
LINNET_INLINE void finish(int8_t* y, const I* real, int zero, int low, int high) {
  const __m512i z = _mm512_set1_epi16((short)zero);
  const __m512i bytes =
      _mm512_packs_epi16(packed(real[0], real[1], z), packed(real[2], real[3], z));
  const __m512i floor = _mm512_max_epi8(bytes, _mm512_set1_epi8((char)low));
  _mm512_storeu_si512(y, _mm512_min_epi8(floor, _mm512_set1_epi8((char)high)));
}

#elif defined(__ARM_FEATURE_DOTPROD)

// s8 taps, four per lane.
typedef int8_t Raw;
constexpr int kTaps = 4;

LINNET_INLINE Raw raw_of(int value, int) { return (Raw)value; }
LINNET_INLINE void widen16(Raw* to, const int8_t* from, int) { vst1q_s8(to, vld1q_s8(from)); }
LINNET_INLINE void widen_unit(Raw* to, const int8_t* from, int) { widen16(to, from, 0); }
LINNET_INLINE I zip_low(int8x16_t a, int8x16_t b) {
  return (I)vzip1q_s16(vreinterpretq_s16_s8(a), vreinterpretq_s16_s8(b));
}
LINNET_INLINE I zip_high(int8x16_t a, int8x16_t b) {
  return (I)vzip2q_s16(vreinterpretq_s16_s8(a), vreinterpretq_s16_s8(b));
}
LINNET_INLINE void interleave(I* to, const Raw* const* taps, ptrdiff_t at) {
  const int8x16_t a = vld1q_s8(taps[0] + at), b = vld1q_s8(taps[1] + at);
  const int8x16_t c = vld1q_s8(taps[2] + at), d = vld1q_s8(taps[3] + at);
  const int8x16_t ab = vzip1q_s8(a, b), ab2 = vzip2q_s8(a, b);
  const int8x16_t cd = vzip1q_s8(c, d), cd2 = vzip2q_s8(c, d);
  to[0] = zip_low(ab, cd);
  to[1] = zip_high(ab, cd);
  to[2] = zip_low(ab2, cd2);
  to[3] = zip_high(ab2, cd2);
}
LINNET_INLINE I dot(I sum, I taps, I weights) { return dot_s8s8(sum, taps, weights); }
LINNET_INLINE void finish(int8_t* y, const I* real, int zero, int low, int high) {
  const I stored[4] = {real[0], real[1], real[2], real[3]};
  store_s8_clipped(y, stored, byte_bounds(zero, low, high), kUnit);
}

#else

// s16 taps (value - zero point), two per lane.
typedef int16_t Raw;
constexpr int kTaps = 2;

LINNET_INLINE Raw raw_of(int value, int zero) { return (Raw)(value - zero); }
LINNET_INLINE I dot(I sum, I taps, I weights) { return sum + madd16(taps, weights); }

#if defined(LINNET_ISA_avx2)

LINNET_INLINE void widen16(Raw* to, const int8_t* from, int zero) {
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)from));
  _mm256_storeu_si256((__m256i*)to, _mm256_sub_epi16(wide, _mm256_set1_epi16((short)zero)));
}
LINNET_INLINE void widen_unit(Raw* to, const int8_t* from, int zero) {
  widen16(to, from, zero);
  widen16(to + 16, from + 16, zero);
}
LINNET_INLINE void interleave(I* to, const Raw* const* taps, ptrdiff_t at) {
  for (int half = 0; half < 2; ++half) {
    const __m256i a = _mm256_loadu_si256((const __m256i*)(taps[0] + at + 16 * half));
    const __m256i b = _mm256_loadu_si256((const __m256i*)(taps[1] + at + 16 * half));
    to[2 * half] = (I)_mm256_unpacklo_epi16(a, b);
    to[2 * half + 1] = (I)_mm256_unpackhi_epi16(a, b);
  }
}
LINNET_INLINE __m256i packed(I a, I b, __m256i zero) {
  return _mm256_adds_epi16(_mm256_packs_epi32(raw(a), raw(b)), zero);
}
LINNET_INLINE void finish(int8_t* y, const I* real, int zero, int low, int high) {
  const __m256i z = _mm256_set1_epi16((short)zero);
  const __m256i mixed =
      _mm256_packs_epi16(packed(real[0], real[1], z), packed(real[2], real[3], z));
  const __m256i bytes = _mm256_permute4x64_epi64(mixed, 0xd8);
  const __m256i floor = _mm256_max_epi8(bytes, _mm256_set1_epi8((char)low));
  _mm256_storeu_si256((__m256i*)y, _mm256_min_epi8(floor, _mm256_set1_epi8((char)high)));
}

#elif defined(__SSE2__)

LINNET_INLINE void widen16(Raw* to, const int8_t* from, int zero) {
  const __m128i bytes = _mm_loadu_si128((const __m128i*)from), z = _mm_set1_epi16((short)zero);
  const __m128i low = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
  const __m128i high = _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8);
  _mm_storeu_si128((__m128i*)to, _mm_sub_epi16(low, z));
  _mm_storeu_si128((__m128i*)(to + 8), _mm_sub_epi16(high, z));
}
LINNET_INLINE void widen_unit(Raw* to, const int8_t* from, int zero) { widen16(to, from, zero); }
LINNET_INLINE void interleave(I* to, const Raw* const* taps, ptrdiff_t at) {
  for (int half = 0; half < 2; ++half) {
    const __m128i a = _mm_loadu_si128((const __m128i*)(taps[0] + at + 8 * half));
    const __m128i b = _mm_loadu_si128((const __m128i*)(taps[1] + at + 8 * half));
    to[2 * half] = (I)_mm_unpacklo_epi16(a, b);
    to[2 * half + 1] = (I)_mm_unpackhi_epi16(a, b);
  }
}
LINNET_INLINE __m128i packed(I a, I b, __m128i zero, __m128i low, __m128i high) {
  const __m128i words = _mm_adds_epi16(_mm_packs_epi32(raw(a), raw(b)), zero);
  return _mm_min_epi16(_mm_max_epi16(words, low), high);
}
LINNET_INLINE void finish(int8_t* y, const I* real, int zero, int low, int high) {
  const __m128i z = _mm_set1_epi16((short)zero);
  const __m128i l = _mm_set1_epi16((short)low), h = _mm_set1_epi16((short)high);
  const __m128i a = packed(real[0], real[1], z, l, h), b = packed(real[2], real[3], z, l, h);
  _mm_storeu_si128((__m128i*)y, _mm_packs_epi16(a, b));
}

#else

LINNET_INLINE void widen16(Raw* to, const int8_t* from, int zero) {
  for (int i = 0; i < 16; ++i) to[i] = (Raw)(from[i] - zero);
}
LINNET_INLINE void widen_unit(Raw* to, const int8_t* from, int zero) {
  for (int i = 0; i < kUnit; i += 16) widen16(to + i, from + i, zero);
}
LINNET_INLINE void interleave(I* to, const Raw* const* taps, ptrdiff_t at) {
  Raw pairs[2 * kUnit];
  for (int i = 0; i < 2 * kUnit; ++i) pairs[i] = taps[i & 1][at + i / 2];
  memcpy(to, pairs, sizeof pairs);
}
LINNET_INLINE void finish(int8_t* y, const I* real, int zero, int low, int high) {
  for (int i = 0; i < kUnit; ++i) {
    const int32_t value = real[i / kLanes][i % kLanes];
    const int32_t near = value < -1024 ? -1024 : value > 1024 ? 1024 : value;
    const int32_t stored = near + zero;
    y[i] = (int8_t)(stored < low ? low : stored > high ? high : stored);
  }
}

#endif
#endif

}  // namespace LINNET_ISA
}  // namespace linnet
