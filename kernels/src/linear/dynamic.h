// Linear layers: rows are quantized as they are copied, the int8 tiles multiply them, sums leave as
// floats.
#pragma once

#include "linear/activation.h"
#include "linear/quantize_row.h"

namespace linnet {
namespace LINNET_ISA {

// What belongs to the rows of a block.
struct DynamicRows {
  float step[kMaxBlock];
  int32_t zero[kMaxBlock];
  int32_t sum[kMaxBlock];  // of q, less depth * zero
};

struct DynamicBlock {
  BlockS8 tile;
  const DynamicLinearParams* p;
  const DynamicRows* rows;
  float* y;
  const float* residual;
};

// Sums start with what the rows' zero points and the weights' contribute.
template <int MR, int NV>
LINNET_INLINE void start_dynamic(I (&sum)[MR][NV], const DynamicBlock& block, int row,
                                 int channel) {
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const U sums = (U)load_i(block.p->column_sums + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      sum[i][j] = (I)(splat_i(0) - sums * (U)splat_i(block.rows->zero[row + i]));
    }
  }
  if (block.p->weight_zero == nullptr) return;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const U zero = (U)load_i(block.p->weight_zero + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      sum[i][j] = (I)((U)sum[i][j] - zero * (U)splat_i(block.rows->sum[row + i]));
    }
  }
}

template <int MR, int NV>
LINNET_INLINE void store_dynamic(const I (&sum)[MR][NV], const DynamicBlock& block, int row,
                                 int channel) {
  const DynamicLinearParams* p = block.p;
  // Hides where `p` points, so that no constants are loaded before the loop over k.
  __asm__ volatile("" : "+r"(p));
  float* y = block.y + row * p->columns + channel;
  const int64_t left = p->columns - channel;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const F scale = load_f(p->scale + channel + j * kLanes);
    const F bias = p->bias != nullptr ? load_f(p->bias + channel + j * kLanes) : splat_f(0.0f);
    const int lanes = left - j * kLanes < kLanes ? static_cast<int>(left - j * kLanes) : kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const F value = to_f(sum[i][j]) * (scale * splat_f(block.rows->step[row + i])) + bias;
      float* to = y + i * p->columns + j * kLanes;
      lanes == kLanes ? store_f(to, value) : store_f(to, value, lanes);
    }
  }
}

template <int MR, int NV>
static void tiles_dynamic(const DynamicBlock& block, int row, int count, int vector) {
  const DynamicLinearParams* p = block.p;
  const int channel = vector * kLanes;
  const int64_t left = p->columns - channel;
  const int columns = left < NV * kLanes ? static_cast<int>(left) : NV * kLanes;
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR) {
    I sum[MR][NV];
    start_dynamic(sum, block, row, channel);
    add_products(sum, block.tile, row, vector);
    store_dynamic(sum, block, row, channel);
    const float* residual = block.residual;
    if (residual != nullptr) residual += row * p->columns + channel;
    finish_block(p->activation, block.y + row * p->columns + channel, residual, p->columns, MR,
                 columns);
  }
}

using TilesDynamic = void (*)(const DynamicBlock&, int, int, int);

template <int MR, int NV>
static constexpr TilesDynamic dynamic_or_null() {
  if constexpr (MR <= most_rows(NV) && NV <= kMaxVectors) {
    return tiles_dynamic<MR, NV>;
  } else {
    return nullptr;
  }
}

#define LINNET_TILES(NV)                                                           \
  {dynamic_or_null<1, NV>(),  dynamic_or_null<2, NV>(),  dynamic_or_null<3, NV>(), \
   dynamic_or_null<4, NV>(),  dynamic_or_null<5, NV>(),  dynamic_or_null<6, NV>(), \
   dynamic_or_null<7, NV>(),  dynamic_or_null<8, NV>(),  dynamic_or_null<9, NV>(), \
   dynamic_or_null<10, NV>(), dynamic_or_null<11, NV>(), dynamic_or_null<12, NV>()}
static constexpr TilesDynamic kDynamicTiles[4][12] = {LINNET_TILES(1), LINNET_TILES(2),
                                                      LINNET_TILES(3), LINNET_TILES(4)};
#undef LINNET_TILES

// Rows [0, rows) against `vectors` vectors from `vector` on, in tiles of even height.
static void strip_dynamic(const DynamicBlock& block, int rows, int vector, int vectors) {
  const int most = most_rows(vectors);
  const int tiles = (rows + most - 1) / most;
  const int height = rows / tiles, taller = rows % tiles;
  if (taller > 0) kDynamicTiles[vectors - 1][height](block, 0, taller, vector);
  const int done = taller * (height + 1);
  kDynamicTiles[vectors - 1][height - 1](block, done, tiles - taller, vector);
}

// Quantizes rows [row, row + count) into the block.
static void fill_block(const DynamicLinearParams& p, uint8_t* to, int64_t step, DynamicRows& rows,
                       int64_t row, int count) {
  for (int r = 0; r < count; ++r, to += step) {
    const float* x = p.x + (row + r) * p.depth;
    const RowScale scale =
        scale_of(p.range != nullptr ? Range{p.range[0], p.range[1]} : range_of(x, p.depth));
    quantize_row(to, x, p.depth, scale, p.range != nullptr);
    rows.step[r] = scale.step;
    rows.zero[r] = scale.zero;
    if (p.weight_zero != nullptr) {
      rows.sum[r] = row_sum(to, p.depth) - static_cast<int32_t>(p.depth) * scale.zero;
    }
  }
}

// Threads share the rows; where those are few they share the columns and each quantizes all rows.
static void run_dynamic(const DynamicLinearParams& p, const Worker& worker) {
  const int vectors = static_cast<int>((p.columns + kLanes - 1) / kLanes);
  const bool by_rows = p.rows >= static_cast<int64_t>(worker.threads) * kMaxRows;
  const Span mine = by_rows ? split(p.rows, worker, kMaxRows) : Span{0, p.rows};
  const Span lanes = by_rows ? Span{0, vectors} : split(vectors, worker, kMaxVectors);
  if (mine.begin == mine.end || lanes.begin == lanes.end) return;
  DynamicRows rows;
  DynamicBlock block;
  block.p = &p;
  block.rows = &rows;
  block.tile.offsets = static_cast<const int32_t*>(worker.scratch);
  block.tile.steps = lane_steps(1, p.depth, kLayout);
  block.tile.a_step = row_bytes(p.depth, kLayout);
  block.tile.weights = p.weights;
  block.tile.panel_step = panel_bytes(1, p.depth, kLayout);
  uint8_t* copied = static_cast<uint8_t*>(worker.scratch) + offset_bytes(block.tile.steps);
  block.tile.a = copied;
  lane_offsets(static_cast<int32_t*>(worker.scratch), 1, p.depth, 0, 1, 0);
  const int64_t blocks = (mine.end - mine.begin + p.block - 1) / p.block;
  const int64_t height = (mine.end - mine.begin + blocks - 1) / blocks;
  for (int64_t row = mine.begin; row < mine.end; row += height) {
    const int count = static_cast<int>(mine.end - row < height ? mine.end - row : height);
    fill_block(p, copied, block.tile.a_step, rows, row, count);
    block.y = p.y + row * p.columns;
    block.residual = p.residual != nullptr ? p.residual + row * p.columns : nullptr;
    for (int vector = static_cast<int>(lanes.begin); vector < lanes.end;) {
      const int wide = next_vectors(static_cast<int>(lanes.end) - vector);
      strip_dynamic(block, count, vector, wide);
      vector += wide;
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
