// Reductions of float rows in an order that depends on the length alone.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

LINNET_INLINE F load_lanes(const float* p, int lanes) {
  return lanes == kLanes ? load_f(p) : load_f(p, lanes);
}

LINNET_INLINE void store_lanes(float* p, F x, int lanes) {
  lanes == kLanes ? store_f(p, x) : store_f(p, x, lanes);
}

// Mask of the lanes below n.
LINNET_INLINE I lanes_below(int n) {
  int32_t ids[kLanes];
  for (int i = 0; i < kLanes; ++i) ids[i] = i;
  return load_i(ids) < splat_i(n);
}

// A sum in parts of 64, so that its rounding error does not grow with the whole length.
struct BlockSum {
  F total = splat_f(0.0f);
  F part = splat_f(0.0f);
  int held = 0;
  void add(F x) {
    part = part + x;
    if (++held == 64) {
      total = total + part;
      part = splat_f(0.0f);
      held = 0;
    }
  }
  F sum() const { return total + part; }
};

// Sum of term(i, lanes) over a row; what the term gives in lanes past the row is left out.
template <class Term>
static float sum_row(int64_t n, Term term) {
  constexpr int kChains = 4;
  constexpr int64_t kStep = kChains * kLanes;
  constexpr int64_t kBlock = 16 * kStep;
  BlockSum total;
  int64_t i = 0;
  while (i + kStep <= n) {
    const int64_t limit = i + kBlock < n ? i + kBlock : n;
    F part[kChains] = {splat_f(0.0f), splat_f(0.0f), splat_f(0.0f), splat_f(0.0f)};
    for (; i + kStep <= limit; i += kStep) {
#pragma GCC unroll 4
      for (int c = 0; c < kChains; ++c) part[c] = part[c] + term(i + c * kLanes, kLanes);
    }
    total.add((part[0] + part[1]) + (part[2] + part[3]));
  }
  for (; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F x = term(i, lanes);
    total.add(select(lanes_below(lanes), x, splat_f(0.0f)));
  }
  return sum_f(total.sum());
}

static float max_row(const float* x, int64_t n) {
  const F lowest = splat_f(-__builtin_inff());
  F best[2] = {lowest, lowest};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    best[0] = max_f(best[0], load_f(x + i));
    best[1] = max_f(best[1], load_f(x + i + kLanes));
  }
  for (; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    best[0] = max_f(best[0], select(lanes_below(lanes), load_f(x + i, lanes), lowest));
  }
  return max_of_f(max_f(best[0], best[1]));
}

// y[i] = value(i, lanes) over a row.
template <class Value>
static void store_row(float* y, int64_t n, Value value) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_f(y + i, value(i, kLanes));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_f(y + i, value(i, rest), rest);
}

}  // namespace LINNET_ISA
}  // namespace linnet
