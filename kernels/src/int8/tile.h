// The int8 micro-tile: rows of activations times vectors of packed output channels, and the way
// from int32 sums to int8 outputs.
#pragma once

#include "int8/layout.h"
#include "int8/store.h"

namespace linnet {
namespace LINNET_ISA {

constexpr LayoutS8 kLayout = layout_s8(kHasDot);
constexpr int kVectorsPerPanel = kPanel / kLanes;

// Sums wrap around: the whole one fits int32, partial ones need not.
typedef uint32_t U __attribute__((vector_size(sizeof(I)), may_alias));

// Rows of activations against the output channels of one group. Row r starts at a + r * a_step, its
// k-th lane's worth at offsets[k] from there; its outputs go to y + r * y_step.
struct BlockS8 {
  const uint8_t* a;
  int64_t a_step;
  const int32_t* offsets;
  int64_t steps;
  const int32_t* row_sums;  // null where the weights' zero points are zero
  const int8_t* weights;
  int64_t panel_step;
  OutputS8 output;
  int8_t* y;
  int64_t y_step;
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

// Sums start as the bias, less what the weights' zero points contribute.
template <int MR, int NV>
LINNET_INLINE void start_sums(I (&sum)[MR][NV], const BlockS8& block, int row, int channel) {
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const I bias = load_i(block.output.bias + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) sum[i][j] = bias;
  }
  if (block.row_sums == nullptr) return;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const U zero = (U)load_i(block.output.weight_zero + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      sum[i][j] = (I)((U)sum[i][j] - zero * (U)splat_i(block.row_sums[row + i]));
    }
  }
}

// Independent sums that hide the latency of multiply_add where a tile has few of its own.
constexpr int ways(int sums) { return sums >= 8 ? 1 : sums >= 4 ? 2 : 4; }

// One flat loop over k, whatever the shape of the window: GCC moves accumulators about between the
// levels of a nest.
template <int MR, int NV>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector) {
  constexpr int kWays = ways(MR * NV);
  const int64_t a_step = block.a_step, steps = block.steps;
  const int32_t* offsets = block.offsets;
  const uint8_t* a[(MR + 2) / 3];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i += 3) a[i / 3] = block.a + (row + i) * a_step;
  const int8_t* w[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    w[j] = block.weights + (vector + j) / kVectorsPerPanel * block.panel_step +
           (vector + j) % kVectorsPerPanel * kLanes * kLayout.group;
  }
  const auto add = [&](I(&to)[MR][NV], int64_t k) __attribute__((always_inline)) {
    I b[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) b[j] = load_weights(w[j] + k * kPanel * kLayout.group);
    const int64_t offset = offsets[k];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const I x = splat_i(load_word(a[i / 3] + i % 3 * a_step + offset));
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) to[i][j] = multiply_add(to[i][j], x, b[j]);
    }
  };
  int64_t k = 0;
  if constexpr (kWays > 1) {
    I more[kWays - 1][MR][NV];
#pragma GCC unroll 64
    for (int n = 0; n < (kWays - 1) * MR * NV; ++n) {
      more[n / (MR * NV)][n / NV % MR][n % NV] = splat_i(0);
    }
#pragma GCC unroll 1
    for (; k + kWays <= steps; k += kWays) {
      add(sum, k);
#pragma GCC unroll 4
      for (int way = 1; way < kWays; ++way) add(more[way - 1], k + way);
    }
#pragma GCC unroll 64
    for (int n = 0; n < (kWays - 1) * MR * NV; ++n) {
      I& to = sum[n / NV % MR][n % NV];
      to = (I)((U)to + (U)more[n / (MR * NV)][n / NV % MR][n % NV]);
    }
  }
  if constexpr (kWays == 1) {
#pragma GCC unroll 1
    for (; k + 2 <= steps; k += 2) {
      add(sum, k);
      add(sum, k + 1);
    }
  }
#pragma GCC unroll 1
  for (; k < steps; ++k) add(sum, k);
}

template <int MR, int NV>
LINNET_INLINE void store_sums(const I (&sum)[MR][NV], const BlockS8& block, int row, int channel) {
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
      stored[n] = to_i_round(to_f(sum[i + n / NV][n % NV]) * load_f(scale + n % NV * kLanes));
    }
    store_rows_clipped<NV>(y, block.y_step, stored, bounds, left);
  }
#pragma GCC unroll 4
  for (int i = MR / kTogether * kTogether; i < MR; ++i, y += block.y_step) {
    I stored[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      stored[j] = to_i_round(to_f(sum[i][j]) * load_f(scale + j * kLanes));
    }
    store_s8_clipped(y, stored, bounds, left);
  }
}

// `count` tiles of MR rows from `row` on, channels [vector * kLanes, (vector + NV) * kLanes).
template <int MR, int NV>
static void tiles_s8(const BlockS8& block, int row, int count, int vector) {
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR) {
    I sum[MR][NV];
    start_sums(sum, block, row, vector * kLanes);
    add_products(sum, block, row, vector);
    store_sums(sum, block, row, vector * kLanes);
  }
}

using TilesS8 = void (*)(const BlockS8&, int, int, int);

// Most rows of a tile by its number of vectors: accumulators, weights and one broadcast fit the
// registers (32 with 16 lanes, 16 otherwise).
constexpr int kMaxVectors = kLanes == 16 ? 4 : 2;
constexpr int kMaxRows = kLanes == 16 ? 12 : 6;
constexpr int most_rows(int vectors) {
  return kLanes == 16 ? (vectors <= 2 ? 12 : vectors == 3 ? 8 : 6) : kLanes == 8 ? 6 : 4;
}

template <int MR, int NV>
static constexpr TilesS8 tiles_or_null() {
  if constexpr (MR <= most_rows(NV) && NV <= kMaxVectors) {
    return tiles_s8<MR, NV>;
  } else {
    return nullptr;
  }
}

#define LINNET_TILES(NV)                                                     \
  {tiles_or_null<1, NV>(),  tiles_or_null<2, NV>(),  tiles_or_null<3, NV>(), \
   tiles_or_null<4, NV>(),  tiles_or_null<5, NV>(),  tiles_or_null<6, NV>(), \
   tiles_or_null<7, NV>(),  tiles_or_null<8, NV>(),  tiles_or_null<9, NV>(), \
   tiles_or_null<10, NV>(), tiles_or_null<11, NV>(), tiles_or_null<12, NV>()}
static constexpr TilesS8 kTiles[4][12] = {LINNET_TILES(1), LINNET_TILES(2), LINNET_TILES(3),
                                          LINNET_TILES(4)};
#undef LINNET_TILES

// Vectors of the next tile: as many as fit, but no lonely last one after a full tile.
LINNET_INLINE int next_vectors(int left) {
  if (left <= kMaxVectors) return left;
  return kMaxVectors == 4 && left == 5 ? 3 : kMaxVectors;
}

// Rows [0, rows) against `vectors` vectors from `vector` on: in tiles of even height, or in whole
// ones where several rows leave together.
static void strip_s8(const BlockS8& block, int rows, int vector, int vectors) {
  const int most = most_rows(vectors);
  const TilesS8* tiles = kTiles[vectors - 1];
  if (rows_together(vectors) > 1) {
    if (rows >= most) tiles[most - 1](block, 0, rows / most, vector);
    if (rows % most > 0) tiles[rows % most - 1](block, rows - rows % most, 1, vector);
    return;
  }
  const int count = (rows + most - 1) / most;
  const int height = rows / count, taller = rows % count;
  if (taller > 0) tiles[height](block, 0, taller, vector);
  const int done = taller * (height + 1);
  tiles[height - 1](block, done, count - taller, vector);
}

// Rows [0, rows), at least one, against vectors [begin, end).
static void block_s8(const BlockS8& block, int rows, int begin, int end) {
  for (int vector = begin; vector < end;) {
    const int vectors = next_vectors(end - vector);
    strip_s8(block, rows, vector, vectors);
    vector += vectors;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
