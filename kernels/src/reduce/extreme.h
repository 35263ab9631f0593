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

LINNET_INLINE bool same(float a, float b) { return a == b || (a != a && b != b); }

static void arg_f32(const ArgExtremeParams& p, const Worker& w) {
  const Span part = split(p.outer, w);
  for (int64_t i = part.begin; i < part.end; ++i) {
    const float* x = static_cast<const float*>(p.x) + i * p.length;
    const Fibre<float> f = {x, 1, 0, p.length, 1};
    const float best = p.largest ? fold_along<MaxOfF32>(f) : fold_along<MinOfF32>(f);
    int64_t place = p.last ? p.length - 1 : 0;
    while (!same(x[place], best)) place += p.last ? -1 : 1;
    put_place(p, i, place);
  }
}

// Value and place of an element in one number: the largest number belongs to the extreme element
// and, of equal ones, to the place that is asked for.
constexpr int kPlaceBits = 16;
constexpr int kLastPlace = (1 << kPlaceBits) - 1;

LINNET_INLINE I max_i(I a, I b) { return a > b ? a : b; }

static void arg_s8(const ArgExtremeParams& p, const Worker& w) {
  const Span part = split(p.outer, w);
  const int sign = p.largest ? 1 : -1, turn = p.last ? 1 : -1, base = p.last ? 0 : kLastPlace;
  int32_t places[kLanes];
  for (int i = 0; i < kLanes; ++i) places[i] = base + turn * i;
  const I first = load_i(places);
  for (int64_t i = part.begin; i < part.end; ++i) {
    const int8_t* x = static_cast<const int8_t*>(p.x) + i * p.length;
    I held = splat_i(-(1 << 30)), at = first;
    int64_t j = 0;
    for (; j + kLanes <= p.length; j += kLanes, at += turn * kLanes) {
      held = max_i(held, load_s8(x + j) * sign * (1 << kPlaceBits) + at);
    }
    store_i(places, held);
    int32_t best = places[0];
    for (int k = 1; k < kLanes; ++k) best = places[k] > best ? places[k] : best;
    for (; j < p.length; ++j) {
      const int32_t key = x[j] * sign * (1 << kPlaceBits) + base + turn * (int32_t)j;
      best = key > best ? key : best;
    }
    const int32_t low = best & kLastPlace;
    put_place(p, i, p.last ? low : kLastPlace - low);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
