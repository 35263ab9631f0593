// Quantizing rows of floats to bytes with a range of their own.
#pragma once

#include "int8/gather.h"
#include "linear/fold.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

// Bytes 0..255 must be what a tile's activations are.
static_assert(kLayout.element == 2 || kLayout.shift == 128, "tiles take unsigned activations");

// Smallest and greatest of a row and 0 in some lanes each; `odd` is NaN in lanes that met NaN or an
// infinity, else 0.
struct RangeLanes {
  F low;
  F high;
  F odd;
};

static RangeLanes range_lanes(const float* x, int64_t count) {
  constexpr int kChains = 4;
  const F zero = splat_f(0.0f);
  F low[kChains], high[kChains], odd[kChains];
  for (int c = 0; c < kChains; ++c) low[c] = high[c] = odd[c] = zero;
  const auto take = [&](F value, int c) {
    low[c] = min_f(value, low[c]);
    high[c] = max_f(value, high[c]);
    odd[c] = fma(value, zero, odd[c]);
  };
  int64_t i = 0;
  for (; i + kChains * kLanes <= count; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (int c = 0; c < kChains; ++c) take(load_f(x + i + c * kLanes), c);
  }
  for (; i < count; i += kLanes) {
    const int lanes = static_cast<int>(count - i < kLanes ? count - i : kLanes);
    take(lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes), 0);
  }
  return {min_f(min_f(low[0], low[1]), min_f(low[2], low[3])),
          max_f(max_f(high[0], high[1]), max_f(high[2], high[3])),
          (odd[0] + odd[1]) + (odd[2] + odd[3])};
}

// Ranges of up to kLanes rows, `step` apart, in a lane each: NaN in both where a row has NaN or an
// infinity. Lanes behind the rows are 0.
struct Ranges {
  F low;
  F high;
};

static Ranges ranges_of(const float* x, int64_t step, int rows, int64_t count) {
  F less[kLanes], high[kLanes], odd[kLanes];
  for (int r = 0; r < kLanes; ++r) {
    less[r] = high[r] = odd[r] = splat_f(0.0f);
    if (r >= rows) continue;
    const RangeLanes lanes = range_lanes(x + r * step, count);
    less[r] = splat_f(0.0f) - lanes.low, high[r] = lanes.high, odd[r] = lanes.odd;
  }
  const F none = totals_of(odd);
  return {none - tops_of(less), tops_of(high) + none};
}

// What up to kLanes rows are quantized by.
struct RowScales {
  float step[kLanes];
  float inverse[kLanes];
  int32_t zero[kLanes];
};

static RowScales scales_of(const Ranges& range) {
  const F step = (range.high - range.low) / splat_f(255.0f);
  const I usable = (I)(step >= splat_f(1e-35f)), odd = (I)(step != step);
  const I zero = to_i_round((splat_f(0.0f) - range.low) / step);
  const I bounded = select((I)(zero < 0), splat_i(0), select((I)(zero > 255), splat_i(255), zero));
  RowScales s;
  store_f(s.step, select(usable | odd, step, splat_f(1.0f)));
  store_f(s.inverse, select(usable, splat_f(1.0f) / step, splat_f(0.0f)));
  store_i(s.zero, select(usable, bounded, splat_i(0)));
  return s;
}

typedef int16_t Half __attribute__((vector_size(sizeof(I) / 2), aligned(2), may_alias));

LINNET_INLINE void store_element(uint8_t* to, I q) {
  if constexpr (kLayout.element == 1) {
    store_u8(to, q);
  } else {
    const I low = select((I)(q < 0), splat_i(0), q);
    *(Half*)to = __builtin_convertvector(select((I)(low > 255), splat_i(255), low), Half);
  }
}

// Four vectors of 0..255, or of anything that is to be cut to it.
LINNET_INLINE void store_elements(uint8_t* to, const I (&q)[4]) {
#if defined(__AVX512F__)
  // Packing works within 128-bit lanes: lane L holds four bytes of each q; puts q by q again.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i low = _mm512_packs_epi32(raw(q[0]), raw(q[1]));
  const __m512i high = _mm512_packs_epi32(raw(q[2]), raw(q[3]));
  _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high)));
#else
  for (int i = 0; i < 4; ++i) store_element(to + i * kLanes * kLayout.element, q[i]);
#endif
}

// Writes a row of bytes in the form that the int8 tiles read, zeros up to a whole lane; writes up
// to a vector beyond. Numbers become round(scaled(x)) + zero.
template <class Scaled>
LINNET_INLINE void quantize_row(uint8_t* to, const float* x, int64_t count, int32_t zero,
                                Scaled scaled) {
  const I middle = splat_i(zero);
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    I q[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) q[j] = to_i_round(scaled(load_f(x + i + j * kLanes))) + middle;
    store_elements(to + i * kLayout.element, q);
  }
  for (; i < count; i += kLanes) {
    store_element(to + i * kLayout.element, to_i_round(scaled(load_f(x + i))) + middle);
  }
  end_row(to, count);
}

}  // namespace LINNET_ISA
}  // namespace linnet
