// Products with few columns: a lane holds one of several k of one column, so that lanes are not
// idle; neighboring lanes are added at the end.
#pragma once

#include "float/tile.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kFoldRows = kLanes == 16 ? 12 : kLanes == 8 ? 10 : 8;

// Sums of neighboring lanes, `kFold` at a time, in the first lanes.
template <int kFold>
LINNET_INLINE F fold_sum(F x) {
  if constexpr (kFold > 1) {
    return fold_sum<kFold / 2>(pair_sum(x));
  } else {
    return x;
  }
}

// Panels hold, per kFold steps of a run, kLanes weights: step k + l % kFold of column l / kFold in
// lane l, zeros behind a run's end. Values of A behind a run's end are not multiplied: they might
// be no numbers.
template <int MR, int kFold>
static __attribute__((noinline)) void fold_tiles(const TileF32& t, int first, int end) {
  const int64_t whole = t.length / kFold * kFold;
  const int tail = static_cast<int>(t.length - whole);
  I kept;
  for (int i = 0; i < kLanes; ++i) kept[i] = i % kFold < tail ? -1 : 0;
  const F bias = t.bias != nullptr ? load_f(t.bias) : splat_f(0.0f);
  const F low = splat_f(t.low), high = splat_f(t.high);
  float* c = t.c + first * t.ldc;
  for (int row = first; row < end; row += MR) {
    F acc[MR];
    LINNET_UNROLL for (int i = 0; i < MR; ++i) acc[i] = splat_f(0.0f);
    const float* rows[MR];
    LINNET_UNROLL for (int i = 0; i < MR; ++i) rows[i] = t.rows[row + i];
    const float* b = t.b;
    for (int64_t run = 0; run < t.runs; ++run) {
      ptrdiff_t k = t.offsets[run];
      for (const ptrdiff_t stop = k + whole; k < stop; k += kFold, b += kLanes) {
        const F weights = load_f(b);
        LINNET_UNROLL for (int i = 0; i < MR; ++i) {
          acc[i] = fma(repeat_f<kFold>(rows[i] + k), weights, acc[i]);
        }
      }
      if (tail > 0) {
        const F weights = load_f(b);
        b += kLanes;
        LINNET_UNROLL for (int i = 0; i < MR; ++i) {
          const F values = select(kept, repeat_f<kFold>(rows[i] + k), splat_f(0.0f));
          acc[i] = fma(values, weights, acc[i]);
        }
      }
    }
    LINNET_UNROLL for (int i = 0; i < MR; ++i, c += t.ldc) {
      const F sum = clamp_number(fold_sum<kFold>(acc[i]) + bias, low, high);
      store_f(c, sum, static_cast<int>(t.columns));
    }
  }
}

template <int MR, int kFold>
static void run_folds(int high, const TileF32& t, int first, int end) {
  if (high == MR) {
    fold_tiles<MR, kFold>(t, first, end);
  } else if constexpr (MR > 1) {
    run_folds<MR - 1, kFold>(high, t, first, end);
  }
}

template <int kFold>
static void run_fold(int rows, const TileF32& t) {
  even_tiles(rows, kFoldRows, [&](int high, int first, int end) {
    run_folds<kFoldRows, kFold>(high, t, first, end);
  });
}

// A strip of `rows` rows.
static inline void run_fold(int fold, int rows, const TileF32& t) {
  if (fold == 2) return run_fold<2>(rows, t);
  if (fold == 4) return run_fold<4>(rows, t);
  if constexpr (kLanes >= 8) {
    if (fold == 8) return run_fold<8>(rows, t);
  }
  if constexpr (kLanes >= 16) {
    if (fold == 16) return run_fold<16>(rows, t);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
