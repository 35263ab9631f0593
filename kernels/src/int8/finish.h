// A tile of int8 outputs.
#pragma once

#include "int8/store.h"
#include "int8/tile.h"
#include "simd/additions.h"

namespace linnet {
namespace LINNET_ISA {

constexpr bool kAddsToRound = kHasDotS8;

template <bool kSmall>
LINNET_INLINE I scaled(I sum, F scale) {
  if constexpr (kSmall) return scaled_small(sum, scale);
  return to_i_round(to_f(sum) * scale);
}

template <bool kSmall, int MR, int NV>
LINNET_INLINE void store_scaled(const I (&sum)[MR][NV], const BlockS8& block, int row,
                                int channel) {
  const OutputS8* out = &block.output;
  // Hides where `out` points: its constants, kept in registers throughout, would push weights of
  // the loop above out to the stack.
  __asm__ volatile("" : "+r"(out));
  const ByteBounds bounds = byte_bounds(out->zero, out->low, out->high);
  const float* scale = out->scale + channel;
  int8_t* y = block.y + row * block.y_step + channel;
  const int left = block.channels - channel;
  // As many rows as one vector of bytes holds leave together.
  constexpr int kTogether = MR < rows_together(NV) ? 1 : rows_together(NV);
#pragma GCC unroll 16
  for (int i = 0; i + kTogether <= MR; i += kTogether, y += kTogether * block.y_step) {
    I stored[kTogether * NV];
#pragma GCC unroll 4
    for (int n = 0; n < kTogether * NV; ++n) {
      stored[n] = scaled<kSmall>(sum[i + n / NV][n % NV], load_f(scale + n % NV * kLanes));
    }
    store_rows_clipped<NV>(y, block.y_step, stored, bounds, left);
  }
#pragma GCC unroll 4
  for (int i = MR / kTogether * kTogether; i < MR; ++i, y += block.y_step) {
    I stored[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      stored[j] = scaled<kSmall>(sum[i][j], load_f(scale + j * kLanes));
    }
    store_s8_clipped(y, stored, bounds, left);
  }
}

template <int MR, int NV>
LINNET_INLINE void store_sums(const I (&sum)[MR][NV], const BlockS8& block, int row, int channel) {
  const bool small = block.output.small_sums && block.output.small_outputs;
  if (kAddsToRound && small) return store_scaled<kAddsToRound>(sum, block, row, channel);
  store_scaled<false>(sum, block, row, channel);
}

template <int MR, int NV>
LINNET_INLINE void make_tile(const BlockS8& block, int row, int vector) {
  I sum[MR][NV];
  start_sums(sum, block, row, vector * kLanes);
  add_products(sum, block, row, vector);
  store_sums(sum, block, row, vector * kLanes);
}

}  // namespace LINNET_ISA
}  // namespace linnet
