// Places of extreme elements along contiguous rows.
#pragma once

#include "reduce/params.h"
#include "reduce/reduce.h"

namespace linnet {
namespace LINNET_ISA {

static void put_place(const ArgExtremeParams& p, int64_t row, int64_t place) {
  if (p.wide) {
    static_cast<int64_t*>(p.y)[row] = place;
  } else {
    static_cast<int32_t*>(p.y)[row] = (int32_t)place;
  }
}

// The first or last place of `best`, which is among the values; NaN is found as NaN. Blocks without
// it are passed over by vectors.
static int64_t place_of(const float* x, int64_t length, float best, bool last) {
  constexpr int64_t kBlock = 4 * kLanes;
  const int64_t blocks = length / kBlock;
  const int nan = best != best;
  const auto same = [&](float value) { return nan ? (int)(value != value) : (int)(value == best); };
  int64_t begin = 0, end = length;
  for (int64_t i = 0; i < blocks; ++i) {
    const float* block = last ? x + end - kBlock : x + begin;
    int hit = 0;
    for (int j = 0; j < kBlock; ++j) hit |= same(block[j]);
    if (hit) break;
    if (last) {
      end -= kBlock;
    } else {
      begin += kBlock;
    }
  }
  if (last) {
    while (!same(x[end - 1])) --end;
    return end - 1;
  }
  while (!same(x[begin])) ++begin;
  return begin;
}

static void arg_f32(const ArgExtremeParams& p, const Worker& w) {
  const Span part = split(p.outer, w);
  for (int64_t i = part.begin; i < part.end; ++i) {
    const float* x = static_cast<const float*>(p.x) + i * p.length;
    const Fibre<float> f = {x, 1, 0, p.length, 1};
    const float best = p.largest ? fold_along<MaxOfF32>(f) : fold_along<MinOfF32>(f);
    put_place(p, i, place_of(x, p.length, best, p.last));
  }
}

// Value and place of an element in one number: the largest number belongs to the extreme element
// and, of equal ones, to the place that is asked for.
constexpr int kPlaceBits = 16;
constexpr int kLastPlace = (1 << kPlaceBits) - 1;

LINNET_INLINE int32_t max_of_i(I x) {
  int32_t lanes[kLanes];
  store_i(lanes, x);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
    }
  }
  return lanes[0];
}

#if defined(LINNET_ISA_avx512vnni)

// Rows of at most 64 bytes in one vector.
static void arg_short_s8(const ArgExtremeParams& p, const Worker& w) {
  const Span part = split(p.outer, w);
  const int length = (int)p.length;
  const __mmask64 inside = length == 64 ? ~(__mmask64)0 : ((__mmask64)1 << length) - 1;
  // Flipped, the extreme element is the least unsigned number.
  const __m512i flip = _mm512_set1_epi8((char)(p.largest ? 0x7f : 0x80));
  const __m512i most = _mm512_set1_epi8((char)0xff);
  const int8_t* x = static_cast<const int8_t*>(p.x) + part.begin * length;
  for (int64_t i = part.begin; i < part.end; ++i, x += length) {
    const __m512i row = _mm512_xor_si512(_mm512_maskz_loadu_epi8(inside, x), flip);
    const __m512i held = _mm512_mask_mov_epi8(most, inside, row);
    const __m256i half =
        _mm256_min_epu8(_mm512_castsi512_si256(held), _mm512_extracti64x4_epi64(held, 1));
    const __m128i quarter =
        _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i pairs = _mm_min_epu8(quarter, _mm_srli_epi16(quarter, 8));
    const __m512i best = _mm512_broadcastb_epi8(_mm_minpos_epu16(pairs));
    const __mmask64 hits = _mm512_mask_cmpeq_epi8_mask(inside, held, best);
    put_place(p, i, p.last ? 63 - __builtin_clzll(hits) : __builtin_ctzll(hits));
  }
}

#endif

// Reads up to kLanes - 1 bytes behind a row.
static void arg_s8(const ArgExtremeParams& p, const Worker& w) {
#if defined(LINNET_ISA_avx512vnni)
  if (p.length <= 64) return arg_short_s8(p, w);
#endif
  const Span part = split(p.outer, w);
  const int sign = p.largest ? 1 : -1, turn = p.last ? 1 : -1, base = p.last ? 0 : kLastPlace;
  int32_t numbers[kLanes];
  for (int i = 0; i < kLanes; ++i) numbers[i] = i;
  const I lane = load_i(numbers), lowest = splat_i(INT32_MIN);
  const int unit = sign * (1 << kPlaceBits), length = (int)p.length;
  for (int64_t i = part.begin; i < part.end; ++i) {
    const int8_t* x = static_cast<const int8_t*>(p.x) + i * length;
    I held = lowest, at = lane * turn + base;
    int j = 0;
    for (; j + kLanes <= length; j += kLanes, at += turn * kLanes) {
      held = max_i(held, load_s8(x + j) * unit + at);
    }
    if (j < length) {
      const I inside = (I)(lane < splat_i(length - j));
      held = max_i(held, select(inside, load_s8(x + j) * unit + at, lowest));
    }
    const int32_t low = max_of_i(held) & kLastPlace;
    put_place(p, i, p.last ? low : kLastPlace - low);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
