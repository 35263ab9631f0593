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
// Widened weights of so many steps leave room for rows in the first-level cache.
constexpr int64_t kPieceSteps = 224;

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
    for (; k + 4 * kLaneBytes <= end; k += 4 * kLaneBytes, w += 4 * kWidenedVectors) {
#pragma GCC unroll 4
      for (int n = 0; n < 4; ++n) {
        widened_step(sum, a, k + n * kLaneBytes, w + n * kWidenedVectors);
      }
    }
#pragma GCC unroll 1
    for (; k < end; k += kLaneBytes, w += kWidenedVectors) widened_step(sum, a, k, w);
  }
  const int32_t* last = block.offsets + block.steps;
#pragma GCC unroll 1
  for (; offsets < last; ++offsets, w += kWidenedVectors) widened_step(sum, a, *offsets, w);
}

// A piece of k: its widened weights, and where sums of the pieces before and behind it lie.
struct PieceS8 {
  BlockS8 block;
  const I* weights;
  I* sums;
  bool first, last;
};

template <int MR>
static void widened_tiles(const PieceS8& piece, int row, int count, int vector) {
  const int channel = vector * kLanes;
  I* sums = piece.sums;
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR, sums += MR * kWidenedVectors) {
    I sum[MR][kWidenedVectors], half[MR][kMaxVectors];
    if (piece.first) {
      start_sums(sum, piece.block, row, channel);
    } else {
#pragma GCC unroll 12
      for (int n = 0; n < MR * kWidenedVectors; ++n) {
        sum[n / kWidenedVectors][n % kWidenedVectors] = sums[n];
      }
    }
    add_widened(sum, piece.block, piece.weights, row);
    if (!piece.last) {
#pragma GCC unroll 12
      for (int n = 0; n < MR * kWidenedVectors; ++n) {
        sums[n] = sum[n / kWidenedVectors][n % kWidenedVectors];
      }
      continue;
    }
#pragma GCC unroll 4
    for (int j = 0; j < kWidenedVectors; j += kMaxVectors) {
#pragma GCC unroll 8
      for (int n = 0; n < MR * kMaxVectors; ++n) {
        half[n / kMaxVectors][n % kMaxVectors] = sum[n / kMaxVectors][j + n % kMaxVectors];
      }
      store_sums(half, piece.block, row, channel + j * kLanes);
    }
  }
}

static void widened_rows(const PieceS8& piece, int height, int row, int count, int vector) {
  if (height == 3) return widened_tiles<3>(piece, row, count, vector);
  if (height == 2) return widened_tiles<2>(piece, row, count, vector);
  widened_tiles<1>(piece, row, count, vector);
}

// One piece of k against rows [0, rows) of every strip.
static void widened_piece(PieceS8 piece, const StripsS8& strips, int rows, int vector) {
  const int count = (rows + kWidenedRows - 1) / kWidenedRows;
  const int height = rows / count, taller = rows % count, done = taller * (height + 1);
  for (int64_t n = 0; n < strips.count; ++n) {
    if (taller > 0) widened_rows(piece, height + 1, 0, taller, vector);
    piece.sums += done * kWidenedVectors;
    widened_rows(piece, height, done, count - taller, vector);
    piece.sums += (rows - done) * kWidenedVectors;
    piece.block.a += strips.a_step;
    piece.block.y += strips.y_step;
  }
}

// Even pieces of k, whole segments where there are several; one where sums have no room to wait.
LINNET_INLINE int64_t count_pieces(const BlockS8& block, int64_t rows) {
  if (rows > kMaxBlock || block.steps <= kPieceSteps) return 1;
  if (block.segments * block.segment_steps < block.steps) return 1;
  const int64_t most = block.segments > 1 ? block.segments : block.steps;
  const int64_t count = (block.steps + kPieceSteps - 1) / kPieceSteps;
  return count < most ? count : most;
}

LINNET_INLINE BlockS8 piece_of(const BlockS8& whole, int64_t index, int64_t count) {
  BlockS8 block = whole;
  if (count == 1) return block;
  const bool several = whole.segments > 1;
  const int64_t units = several ? whole.segments : whole.steps;
  const int64_t unit = several ? whole.segment_steps : 1;
  const int64_t begin = units * index / count, end = units * (index + 1) / count;
  block.steps = (end - begin) * unit;
  block.segments = several ? end - begin : 1;
  block.segment_steps = several ? unit : end - begin;
  block.offsets += begin * unit;
  block.weights += begin * unit * kPanel * kLayout.group;
  return block;
}

// Rows [0, rows) of every strip against vectors from `begin` on, as far as four of them are left;
// returns where it stopped.
static int widened_strips(const BlockS8& block, const StripsS8& strips, int rows, int begin,
                          int end) {
  if (block.widened == nullptr || strips.count * rows < kLeastWidened) return begin;
  I sums[kMaxBlock * kWidenedVectors];
  const int64_t pieces = count_pieces(block, strips.count * rows);
  for (; begin + kWidenedVectors <= end; begin += kWidenedVectors) {
    for (int64_t n = 0; n < pieces; ++n) {
      const PieceS8 piece = {piece_of(block, n, pieces), (const I*)block.widened, sums, n == 0,
                             n + 1 == pieces};
      widen((I*)block.widened, piece.block, begin);
      widened_piece(piece, strips, rows, begin);
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
