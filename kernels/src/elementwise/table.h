// Lookup of bytes in a table of 256.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void look_up_scalar(const uint8_t* x, uint8_t* y, const uint8_t* table, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

#if defined(__AVX512BW__) || defined(__AVX2__)

#if defined(__AVX512BW__)
typedef __m512i Bytes;
LINNET_INLINE Bytes load_bytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
LINNET_INLINE void store_bytes(uint8_t* p, Bytes x) { _mm512_storeu_si512(p, x); }
LINNET_INLINE Bytes splat_byte(char x) { return _mm512_set1_epi8(x); }
LINNET_INLINE Bytes repeat_16(const uint8_t* p) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)p));
}
LINNET_INLINE Bytes pick(Bytes table, Bytes index) { return _mm512_shuffle_epi8(table, index); }
LINNET_INLINE Bytes flip(Bytes x, Bytes y) { return _mm512_xor_si512(x, y); }
LINNET_INLINE Bytes less_saturated(Bytes x, Bytes y) { return _mm512_subs_epi8(x, y); }
#else
typedef __m256i Bytes;
LINNET_INLINE Bytes load_bytes(const uint8_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
LINNET_INLINE void store_bytes(uint8_t* p, Bytes x) { _mm256_storeu_si256((__m256i*)p, x); }
LINNET_INLINE Bytes splat_byte(char x) { return _mm256_set1_epi8(x); }
LINNET_INLINE Bytes repeat_16(const uint8_t* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)p));
}
LINNET_INLINE Bytes pick(Bytes table, Bytes index) { return _mm256_shuffle_epi8(table, index); }
LINNET_INLINE Bytes flip(Bytes x, Bytes y) { return _mm256_xor_si256(x, y); }
LINNET_INLINE Bytes less_saturated(Bytes x, Bytes y) { return _mm256_subs_epi8(x, y); }
#endif

// Half a table: what x in [0, 128) selects, 0 elsewhere. Slice k is stored as its difference from
// slice k - 1, so the slices that an index reaches cancel down to the last; a negative index picks
// nothing, and saturation keeps it negative.
LINNET_INLINE Bytes look_up_half(const Bytes* slices, Bytes x) {
  const Bytes sixteen = splat_byte(16);
  Bytes y = pick(slices[0], x);
#pragma GCC unroll 8
  for (int k = 1; k < 8; ++k) {
    x = less_saturated(x, sixteen);
    y = flip(y, pick(slices[k], x));
  }
  return y;
}

static void look_up(const uint8_t* x, uint8_t* y, const uint8_t* table, int64_t n) {
  constexpr int kBytes = sizeof(Bytes);
  if (n < kBytes) return look_up_scalar(x, y, table, n);
  Bytes slices[16];
  for (int k = 0; k < 16; ++k) {
    const Bytes slice = repeat_16(table + 16 * k);
    slices[k] = k % 8 ? flip(slice, repeat_16(table + 16 * (k - 1))) : slice;
  }
  const Bytes top = splat_byte(-128);
  int64_t i = 0;
  for (; i + kBytes <= n; i += kBytes) {
    const Bytes index = load_bytes(x + i);
    const Bytes low = look_up_half(slices, index);
    store_bytes(y + i, flip(low, look_up_half(slices + 8, flip(index, top))));
  }
  look_up_scalar(x + i, y + i, table, n - i);
}

#elif defined(__aarch64__)

// A lookup beyond its 64 bytes leaves what the ones before have found.
static void look_up(const uint8_t* x, uint8_t* y, const uint8_t* table, int64_t n) {
  if (n < 16) return look_up_scalar(x, y, table, n);
  const uint8x16x4_t a = vld1q_u8_x4(table), b = vld1q_u8_x4(table + 64);
  const uint8x16x4_t c = vld1q_u8_x4(table + 128), d = vld1q_u8_x4(table + 192);
  const uint8x16_t quarter = vdupq_n_u8(64);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    uint8x16_t index = vld1q_u8(x + i);
    uint8x16_t found = vqtbl4q_u8(a, index);
    found = vqtbx4q_u8(found, b, index = vsubq_u8(index, quarter));
    found = vqtbx4q_u8(found, c, index = vsubq_u8(index, quarter));
    found = vqtbx4q_u8(found, d, vsubq_u8(index, quarter));
    vst1q_u8(y + i, found);
  }
  look_up_scalar(x + i, y + i, table, n - i);
}

#else

static void look_up(const uint8_t* x, uint8_t* y, const uint8_t* table, int64_t n) {
  look_up_scalar(x, y, table, n);
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
