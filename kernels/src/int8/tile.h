// The int8 micro-tile: rows of gathered activations times vectors of packed output channels, and the
// way from int32 sums to int8 outputs.
#pragma once

#include "int8/layout.h"
#include "int8/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

constexpr LayoutS8 kLayout = layout_s8(kHasDot);
constexpr int kVectorsPerPanel = kPanel / kLanes;

// Lanes of the accumulators wrap around: the bound sum fits, partial ones need not.
typedef uint32_t U __attribute__((vector_size(sizeof(I)), may_alias));

// One block of rows against the output channels of one group.
struct BlockS8 {
  const uint8_t* a;         // gathered rows
  int64_t a_step;           // bytes from row to row
  const int32_t* row_sums;  // null where the weights' zero points are zero
  const int8_t* weights;
  int64_t panel_step;
  int64_t steps;  // lanes' worth of k
  OutputS8 output;
  int8_t* const* y;  // of each row, channel 0 of the group
  int channels;
};

// A template, so that an ISA without byte products need not declare them.
template <class Vector>
LINNET_INLINE Vector multiply_add(Vector sum, Vector a, Vector b) {
  if constexpr (kHasDot) {
    return dot_u8s8(sum, a, b);
  } else {
    return (Vector)((U)sum + (U)madd16(a, b));
  }
}

LINNET_INLINE I load_weights(const int8_t* w) {
  if constexpr (kHasDot) {
    return load_i((const int32_t*)w);
  } else {
    return load_pairs_s8(w);
  }
}

LINNET_INLINE const int8_t* vector_of(const BlockS8& block, int vector) {
  return block.weights + vector / kVectorsPerPanel * block.panel_step +
         vector % kVectorsPerPanel * kLanes * kLayout.group;
}

// Rows [row, row + MR), channels [vector * kLanes, (vector + NV) * kLanes).
template <int MR, int NV>
static void tile_s8(const BlockS8& block, int row, int vector) {
  I sum[MR][NV];
  const int channel = vector * kLanes;
  const OutputS8& out = block.output;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const I bias = load_i(out.bias + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) sum[i][j] = bias;
  }
  if (block.row_sums != nullptr) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const U zero = (U)load_i(out.weight_zero + channel + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        sum[i][j] = (I)((U)sum[i][j] - zero * (U)splat_i(block.row_sums[row + i]));
      }
    }
  }
  const uint8_t* a[(MR + 2) / 3];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i += 3) a[i / 3] = block.a + (row + i) * block.a_step;
  const int64_t a_step = block.a_step;
  const int8_t* w[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) w[j] = vector_of(block, vector + j);
  const int64_t steps = block.steps;
#pragma GCC unroll 1
  for (int64_t k = 0; k < steps; ++k) {
    I b[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) b[j] = load_weights(w[j] + k * kPanel * kLayout.group);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const I x = splat_i(load_word(a[i / 3] + i % 3 * a_step + 4 * k));
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) sum[i][j] = multiply_add(sum[i][j], x, b[j]);
    }
  }
  const F low = splat_f((float)(out.low - out.zero)), high = splat_f((float)(out.high - out.zero));
  const I zero = splat_i(out.zero);
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const F scale = load_f(out.scale + channel + j * kLanes);
    const int left = block.channels - channel - j * kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const F real = clamp_f(to_f(sum[i][j]) * scale, low, high);
      const I stored = to_i_round(real) + zero;
      int8_t* y = block.y[row + i] + channel + j * kLanes;
      if (kLanes < 16 && left >= kLanes) {
        store_s8(y, stored);
      } else {
        store_s8(y, stored, left);
      }
    }
  }
}

using TileS8 = void (*)(const BlockS8&, int, int);

// Most rows of a tile by its number of vectors: accumulators, weights and one broadcast fit the
// registers (32 with 16 lanes, 16 otherwise).
constexpr int kMaxVectors = kLanes == 16 ? 4 : 2;
constexpr int kMaxRows = kLanes == 16 ? 12 : 6;
constexpr int most_rows(int vectors) {
  return kLanes == 16 ? (vectors <= 2 ? 12 : vectors == 3 ? 8 : 6) : kLanes == 8 ? 6 : 4;
}

template <int MR, int NV>
static constexpr TileS8 tile_or_null() {
  if constexpr (MR <= most_rows(NV) && NV <= kMaxVectors) {
    return tile_s8<MR, NV>;
  } else {
    return nullptr;
  }
}

#define LINNET_TILES(NV)                                                                     \
  {tile_or_null<1, NV>(),  tile_or_null<2, NV>(),  tile_or_null<3, NV>(),                    \
   tile_or_null<4, NV>(),  tile_or_null<5, NV>(),  tile_or_null<6, NV>(),                    \
   tile_or_null<7, NV>(),  tile_or_null<8, NV>(),  tile_or_null<9, NV>(),                    \
   tile_or_null<10, NV>(), tile_or_null<11, NV>(), tile_or_null<12, NV>()}
static constexpr TileS8 kTiles[4][12] = {LINNET_TILES(1), LINNET_TILES(2), LINNET_TILES(3),
                                         LINNET_TILES(4)};
#undef LINNET_TILES

// Vectors of the next tile: as many as fit, but no lonely last one after a full tile.
LINNET_INLINE int next_vectors(int left) {
  if (left <= kMaxVectors) return left;
  return kMaxVectors == 4 && left == 5 ? 3 : kMaxVectors;
}

// Rows [0, rows) of a block against vectors [begin, end), in tiles of even height.
static void block_s8(const BlockS8& block, int rows, int begin, int end) {
  for (int vector = begin; vector < end;) {
    const int vectors = next_vectors(end - vector);
    const int tiles = (rows + most_rows(vectors) - 1) / most_rows(vectors);
    for (int t = 0, row = 0; t < tiles; ++t) {
      const int next = (int)((int64_t)rows * (t + 1) / tiles);
      kTiles[vectors - 1][next - row - 1](block, row, vector);
      row = next;
    }
    vector += vectors;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
