// Linear layers: rows are quantized as they are copied, the int8 tiles multiply them, sums leave as
// floats.
#pragma once

#include "linear/activation.h"
#include "linear/quantize_row.h"
#include "linear/tiles.h"

namespace linnet {
namespace LINNET_ISA {

// Floats of which an L1 cache holds twice as many.
constexpr int64_t kNearFloats = 4096;

// What belongs to the rows of a block.
struct DynamicRows {
  float step[kMaxBlock];
  int32_t zero_pair[kMaxBlock];  // zero and 128 * zero, as 16 bits each
  int32_t sum[kMaxBlock];        // of q, less depth * zero
};

namespace {

struct DynamicBody {
  static constexpr bool kStreams = true;

  struct Block {
    BlockS8 tile;
    const DynamicLinearParams* p;
    const DynamicRows* rows;
    float* y;
    const float* residual;
    int64_t columns;
    int first;  // packed channel of the matrix's first column
  };

  // Sums start with what the rows' zero points and the weights' contribute.
  template <int MR, int NV>
  LINNET_INLINE void start(I (&sum)[MR][NV], const Block& block, int row, int channel) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const I sums = load_i(block.p->column_sums + channel + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        sum[i][j] = splat_i(0) - madd16(sums, splat_i(block.rows->zero_pair[row + i]));
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
  LINNET_INLINE void store(const I (&sum)[MR][NV], const Block& block, int row, int channel) {
    const DynamicLinearParams* p = block.p;
    // Hides where `p` points, so that no constants are loaded before the loop over k.
    __asm__ volatile("" : "+r"(p));
    const int64_t column = channel - block.first, left = block.columns - column;
    float* y = block.y + row * block.columns + column;
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const F scale = load_f(p->scale + channel + j * kLanes);
      const F bias = p->bias != nullptr ? load_f(p->bias + channel + j * kLanes) : splat_f(0.0f);
      const int lanes = left - j * kLanes < kLanes ? static_cast<int>(left - j * kLanes) : kLanes;
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const F value = fma(to_f(sum[i][j]), scale * splat_f(block.rows->step[row + i]), bias);
        float* to = y + i * block.columns + j * kLanes;
        lanes == kLanes ? store_f(to, value) : store_f(to, value, lanes);
      }
    }
    if (p->activation == Activation::kNone && block.residual == nullptr) return;
    const float* residual = block.residual;
    if (residual != nullptr) residual += row * block.columns + column;
    finish_block(p->activation, y, residual, block.columns, MR,
                 static_cast<int>(left < NV * kLanes ? left : NV * kLanes));
  }
};

}  // namespace

// Rows whose ranges are found together: they should still lie in the L1 cache when they are
// quantized.
static int rows_together(int64_t depth) {
  const int64_t fit = kNearFloats / (depth > 0 ? depth : 1);
  return static_cast<int>(fit < 1 ? 1 : fit < kLanes ? fit : kLanes);
}

// Quantizes rows [row, row + count) into the block.
static void fill_block(const DynamicLinearParams& p, uint8_t* to, int64_t step, DynamicRows& rows,
                       int64_t row, int count) {
  const int most = rows_together(p.depth);
  for (int first = 0; first < count; first += most) {
    const int some = count - first < most ? count - first : most;
    const float* x = p.x + (row + first) * p.depth;
    const bool given = p.range != nullptr;
    const RowScales scales = scales_of(given ? Ranges{splat_f(p.range[0]), splat_f(p.range[1])}
                                             : ranges_of(x, p.depth, some, p.depth));
    for (int i = 0; i < some; ++i, to += step, x += p.depth) {
      const F scale = splat_f(scales.step[i]), inverse = splat_f(scales.inverse[i]);
      const int32_t zero = scales.zero[i];
      // With a range, x / step as ONNX has it.
      if (given && scales.inverse[i] != 0.0f) {
        quantize_row(to, x, p.depth, zero, [&](F value) { return value / scale; });
      } else {
        quantize_row(to, x, p.depth, zero, [&](F value) { return value * inverse; });
      }
      const int r = first + i;
      rows.step[r] = scales.step[i];
      rows.zero_pair[r] = zero | zero * 128 << 16;
      if (p.weight_zero != nullptr) {
        rows.sum[r] = row_sum(to, p.depth) - static_cast<int32_t>(p.depth) * zero;
      }
    }
  }
}

// The columns of one matrix that fall into packed vectors [lanes.begin, lanes.end).
static void run_part(DynamicBody::Block& block, const LinearPart& part, int first, Span lanes,
                     int64_t row, int count) {
  const int begin = first / kLanes,
            end = begin + static_cast<int>((part.columns + kLanes - 1) / kLanes);
  const int from = lanes.begin > begin ? static_cast<int>(lanes.begin) : begin;
  const int to = lanes.end < end ? static_cast<int>(lanes.end) : end;
  block.y = part.y + row * part.columns;
  block.residual = block.p->residual != nullptr ? block.p->residual + row * part.columns : nullptr;
  block.columns = part.columns;
  block.first = first;
  if (from < to) body_block<DynamicBody>(block, count, from, to);
}

// Threads share the rows; where those are few they share the columns and each quantizes all rows.
static void run_dynamic(const DynamicLinearParams& p, const Worker& worker) {
  int64_t channels = 0;
  for (int64_t i = 0; i < p.part_count; ++i) channels += padded(p.parts[i].columns, kPanel);
  const int64_t vectors = channels / kLanes;
  const bool by_rows = p.rows >= static_cast<int64_t>(worker.threads) * kMaxRows;
  const Span mine = by_rows ? split(p.rows, worker, kMaxRows) : Span{0, p.rows};
  const Span lanes = by_rows ? Span{0, vectors} : split(vectors, worker, kMaxVectors);
  if (mine.begin == mine.end || lanes.begin == lanes.end) return;
  DynamicRows rows;
  DynamicBody::Block block;
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
  const int64_t height = padded((mine.end - mine.begin + blocks - 1) / blocks, 6);
  for (int64_t row = mine.begin; row < mine.end; row += height) {
    const int count = static_cast<int>(mine.end - row < height ? mine.end - row : height);
    fill_block(p, copied, block.tile.a_step, rows, row, count);
    int first = 0;
    for (int64_t i = 0; i < p.part_count; ++i) {
      run_part(block, p.parts[i], first, lanes, row, count);
      first += static_cast<int>(padded(p.parts[i].columns, kPanel));
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
