// Many rows against 32 channels on AVX2: their weights are widened to 16 bits once, and read by the
// products themselves. What bounds the loop is the number of its instructions.
#pragma once

#include "int8/tile.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(LINNET_ISA_avx2) && !defined(LINNET_SIXTEEN_BITS)

constexpr bool kWidens = true;
constexpr int kWidenedVectors = kWidenedChannels / kLanes;
constexpr int kWidenedRows = 3;
// Fewer rows do not pay for the widening.
constexpr int kLeastWidened = 12;

// Two panels side by side: all channels of a lane's worth of k, then of the next.
static void widen(I* to, const BlockS8& block, int vector) {
  const int8_t* w = block.weights + vector / kVectorsPerPanel * block.panel_step;
  constexpr int kStep = kPanel * kLayout.group;
#pragma GCC unroll 1
  for (int64_t k = 0; k < block.steps; ++k, w += kStep, to += kWidenedVectors) {
    to[0] = load_pairs_s8(w);
    to[1] = load_pairs_s8(w + kStep / 2);
    to[2] = load_pairs_s8(w + block.panel_step);
    to[3] = load_pairs_s8(w + block.panel_step + kStep / 2);
  }
}

template <int MR>
LINNET_INLINE void widened_step(I (&sum)[MR][kWidenedVectors], const uint8_t* const (&a)[MR],
                                int64_t offset, const I* w) {
  I x[MR];
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) x[i] = splat_i(load_word(a[i] + offset));
#pragma GCC unroll 4
  for (int j = 0; j < kWidenedVectors; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) sum[i][j] = add_madd16(sum[i][j], x[i], w + j);
  }
}

template <int MR>
LINNET_INLINE void add_widened(I (&sum)[MR][kWidenedVectors], const BlockS8& block, const I* w,
                               int row) {
  const uint8_t* a[MR];
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) a[i] = block.a + (row + i) * block.a_step;
  const int32_t* offsets = block.offsets;
  for (int64_t s = 0; s < block.segments; ++s, offsets += block.segment_steps) {
    int64_t k = offsets[0];
    const int64_t end = k + block.segment_steps * kLaneBytes;
#pragma GCC unroll 1
    for (; k + 2 * kLaneBytes <= end; k += 2 * kLaneBytes, w += 2 * kWidenedVectors) {
      widened_step(sum, a, k, w);
      widened_step(sum, a, k + kLaneBytes, w + kWidenedVectors);
    }
    if (k >= end) continue;
    widened_step(sum, a, k, w);
    w += kWidenedVectors;
  }
  const int32_t* last = block.offsets + block.steps;
#pragma GCC unroll 1
  for (; offsets < last; ++offsets, w += kWidenedVectors) widened_step(sum, a, *offsets, w);
}

template <int MR>
static void widened_tiles(const BlockS8& block, const I* w, int row, int count, int vector) {
  const int channel = vector * kLanes;
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR) {
    I sum[MR][kWidenedVectors], half[MR][kMaxVectors];
    start_sums(sum, block, row, channel);
    add_widened(sum, block, w, row);
#pragma GCC unroll 4
    for (int j = 0; j < kWidenedVectors; j += kMaxVectors) {
#pragma GCC unroll 8
      for (int n = 0; n < MR * kMaxVectors; ++n) {
        half[n / kMaxVectors][n % kMaxVectors] = sum[n / kMaxVectors][j + n % kMaxVectors];
      }
      store_sums(half, block, row, channel + j * kLanes);
    }
  }
}

static void widened_rows(const BlockS8& block, const I* w, int height, int row, int count,
                         int vector) {
  if (height == 3) return widened_tiles<3>(block, w, row, count, vector);
  if (height == 2) return widened_tiles<2>(block, w, row, count, vector);
  widened_tiles<1>(block, w, row, count, vector);
}

// Rows [0, rows) of every strip against vectors from `begin` on, as far as four of them are left;
// returns where it stopped.
static int widened_strips(BlockS8 block, const StripsS8& strips, int rows, int begin, int end) {
  if (block.widened == nullptr || strips.count * rows < kLeastWidened) return begin;
  I* w = (I*)block.widened;
  const uint8_t* a = block.a;
  Code* y = block.y;
  const int count = (rows + kWidenedRows - 1) / kWidenedRows;
  const int height = rows / count, taller = rows % count, done = taller * (height + 1);
  for (; begin + kWidenedVectors <= end; begin += kWidenedVectors) {
    widen(w, block, begin);
    for (int64_t n = 0; n < strips.count; ++n) {
      block.a = a + n * strips.a_step;
      block.y = y + n * strips.y_step;
      if (taller > 0) widened_rows(block, w, height + 1, 0, taller, begin);
      widened_rows(block, w, height, done, count - taller, begin);
    }
  }
  return begin;
}

#else

constexpr bool kWidens = false;
static inline int widened_strips(const BlockS8&, const StripsS8&, int, int begin, int) {
  return begin;
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
