// A tile of int16 outputs.
#pragma once

#include "int8/tile.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int rows_together(int) { return 1; }

// Rows of sums, as floats, to y: clip(round_half_even(sum * scale) + zero, low, high).
template <int NV>
LINNET_INLINE void store_row(const F (&sum)[NV], const BlockS8& block, int row, int channel) {
  const OutputS8& out = block.output;
  const F low = to_f(splat_i(out.low - out.zero)), high = to_f(splat_i(out.high - out.zero));
  const int left = block.channels - channel;
  int16_t* y = block.y + row * block.y_step + channel;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const F steps = clamp_f(sum[j] * load_f(out.scale + channel + j * kLanes), low, high);
    const I stored = to_i_round(steps) + splat_i(out.zero);
    if (left >= (j + 1) * kLanes) {
      store_s16(y + j * kLanes, stored);
    } else if (left > j * kLanes) {
      store_s16(y + j * kLanes, stored, left - j * kLanes);
    }
  }
}

// Sums that need more than one run of products: totals in int64, rounded once to float.
template <int MR, int NV>
static __attribute__((noinline)) void make_wide_tile(const BlockS8& block, int row, int vector) {
  constexpr int kWidth = NV * kLanes;
  int64_t total[MR][kWidth];
  for (int i = 0; i < MR; ++i) {
    memcpy(total[i], block.wide_bias + vector * kLanes, sizeof total[i]);
  }
  BlockS8 part = block;
  for (int64_t left = block.steps; left > 0; left -= block.run) {
    I sum[MR][NV];
    for (int n = 0; n < MR * NV; ++n) sum[n / NV][n % NV] = splat_i(0);
    part.steps = left < block.run ? left : block.run;
    add_products(sum, part, row, vector);
    for (int i = 0; i < MR; ++i) {
      int32_t lanes[kWidth];
      for (int j = 0; j < NV; ++j) store_i(lanes + j * kLanes, sum[i][j]);
      for (int n = 0; n < kWidth; ++n) total[i][n] += lanes[n];
    }
    part.offsets += part.steps;
    part.weights += part.steps * (kPanel * kLayout.group);
  }
  for (int i = 0; i < MR; ++i) {
    float lanes[kWidth];
    F real[NV];
    for (int n = 0; n < kWidth; ++n) lanes[n] = (float)total[i][n];
    for (int j = 0; j < NV; ++j) real[j] = load_f(lanes + j * kLanes);
    store_row(real, block, row + i, vector * kLanes);
  }
}

template <int MR, int NV>
LINNET_INLINE void make_tile(const BlockS8& block, int row, int vector) {
  if (block.wide_bias != nullptr) return make_wide_tile<MR, NV>(block, row, vector);
  I sum[MR][NV];
  start_sums(sum, block, row, vector * kLanes);
  add_products(sum, block, row, vector);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    F real[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) real[j] = to_f(sum[i][j]);
    store_row(real, block, row + i, vector * kLanes);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
