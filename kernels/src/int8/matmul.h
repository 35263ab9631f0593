// int8 product of two activations: the second operand is packed at run time, per thread.
#pragma once

#include "int8/gather.h"

namespace linnet {
namespace LINNET_ISA {

typedef uint8_t Bytes16 __attribute__((vector_size(16), may_alias));

LINNET_INLINE Bytes16 load16(const int8_t* p) {
  Bytes16 bytes;
  memcpy(&bytes, p, sizeof bytes);
  return bytes;
}

LINNET_INLINE Bytes16 bytes_low(Bytes16 a, Bytes16 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
LINNET_INLINE Bytes16 bytes_high(Bytes16 a, Bytes16 b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}
// The bytes of kRows rows column by column. Every round of interleaving rows that are half the rows
// apart turns the bits of a byte's row and column by one place.
template <int kRows>
LINNET_INLINE void transpose(Bytes16* out, const Bytes16 (&row)[kRows]) {
  Bytes16 from[kRows];
  memcpy(from, row, sizeof from);
#pragma GCC unroll 4
  for (int round = 1; round < kRows; round *= 2) {
    Bytes16 to[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows / 2; ++i) {
      to[2 * i] = bytes_low(from[i], from[i + kRows / 2]);
      to[2 * i + 1] = bytes_high(from[i], from[i + kRows / 2]);
    }
    memcpy(from, to, sizeof from);
  }
  memcpy(out, from, sizeof from);
}

// One lane's worth of rows of b (depth, columns), 16 columns each: rows beyond the depth and
// columns beyond the last are zero.
LINNET_INLINE void pack_lane(int8_t* to, const int8_t* b, int64_t columns, int rows, int width) {
  Bytes16 row[kLayout.group];
#pragma GCC unroll 16
  for (int g = 0; g < kLayout.group; ++g) {
    if (g < rows && width == kPanel) {
      row[g] = load16(b + g * columns);
    } else {
      int8_t bytes[kPanel] = {0};
      for (int n = 0; g < rows && n < width; ++n) bytes[n] = b[g * columns + n];
      row[g] = load16(bytes);
    }
  }
  transpose((Bytes16*)to, row);
}

static void pack_panel(int8_t* to, const int8_t* b, const MatMulS8Params& p, int column) {
  constexpr int group = kLayout.group;
  const int width = p.columns - column < kPanel ? p.columns - column : kPanel;
  for (int64_t k = 0; k < p.depth; k += group, to += kPanel * group) {
    const int rows = p.depth - k < group ? (int)(p.depth - k) : group;
    if (!p.b_transposed) {
      pack_lane(to, b + k * p.columns + column, p.columns, rows, width);
      continue;
    }
    for (int n = 0; n < kPanel; ++n) {
      for (int g = 0; g < group; ++g) {
        const bool inside = n < width && g < rows;
        to[n * group + g] = inside ? b[(column + n) * (int64_t)p.depth + k + g] : (int8_t)0;
      }
    }
  }
}

// Where a thread's scratch holds what.
struct MatMulScratch {
  int32_t* offsets;
  uint8_t* a;
  int8_t* b;
  int32_t* bias;
  int32_t* weight_zero;
  void* widened;
};

LINNET_INLINE MatMulScratch matmul_scratch(const MatMulS8Params& p, void* scratch) {
  const int64_t panels = padded(p.columns, kPanel) / kPanel;
  MatMulScratch s;
  s.offsets = (int32_t*)scratch;
  s.a = (uint8_t*)scratch + offset_bytes(lane_steps(1, p.depth, kLayout));
  s.b = (int8_t*)s.a + padded(p.block * row_bytes(p.depth, kLayout) + 64, 64);
  s.bias = (int32_t*)(s.b + panels * panel_bytes(1, p.depth, kLayout));
  s.weight_zero = s.bias + panels * kPanel;
  s.widened = kWidens ? s.weight_zero + panels * kPanel : nullptr;
  return s;
}

// Packs one b and folds the zero points:
// bias[n] = (depth * zero_b - sum of b[:, n]) * (zero_a + shift).
static void pack_b(const MatMulS8Params& p, const MatMulScratch& s, const int8_t* b) {
  const int64_t step = panel_bytes(1, p.depth, kLayout);
  const U zero_a = (U)splat_i(p.a_zero + kLayout.shift);
  const U constant = (U)splat_i((int32_t)((uint32_t)p.depth * (uint32_t)p.b_zero));
  int8_t* panel = s.b;
  for (int column = 0; column < p.columns; column += kPanel, panel += step) {
    pack_panel(panel, b, p, column);
    for (int lane = 0; lane < kPanel; lane += kLanes) {
      I sum = splat_i(0);
      for (int64_t k = 0; k < step; k += kPanel * kLayout.group) {
        sum = add_weights(sum, panel + k + lane * kLayout.group);
      }
      store_i(s.bias + column + lane, (I)((constant - (U)sum) * zero_a));
      store_i(s.weight_zero + column + lane, splat_i(p.b_zero));
    }
  }
}

static BlockS8 matmul_block(const MatMulS8Params& p, const MatMulScratch& s) {
  BlockS8 block;
  block.a = s.a;
  block.a_step = row_bytes(p.depth, kLayout);
  block.offsets = s.offsets;
  block.steps = lane_steps(1, p.depth, kLayout);
  block.segment_steps = block.steps;
  block.segments = 1;
  block.careful = true;
  block.half = ends_in_half(p.depth, kLayout);
  block.run = 0;
  block.wide_bias = nullptr;
  block.row_sums = nullptr;
  block.weights = s.b;
  block.widened = s.widened;
  block.panel_step = panel_bytes(1, p.depth, kLayout);
  block.output = p.output;
  block.output.bias = s.bias;
  block.output.weight_zero = s.weight_zero;
  block.y_step = p.columns;
  block.channels = p.columns;
  return block;
}

// Threads share the blocks of rows of all pairs; each packs the b that its blocks need.
static void matmul_s8_body(const MatMulS8Params& p, const Worker& worker) {
  const MatMulScratch s = matmul_scratch(p, worker.scratch);
  const int64_t blocks = (p.rows + p.block - 1) / p.block;
  const Span mine = split(p.batch * blocks, worker);
  const int vectors = (p.columns + kLanes - 1) / kLanes;
  int32_t row_sums[kMaxBlock];
  lane_offsets(s.offsets, 1, p.depth, 0, 1, 0);
  BlockS8 block = matmul_block(p, s);
  if (p.b_zero != 0) block.row_sums = row_sums;
  for (int64_t index = mine.begin, packed = -1; index < mine.end; ++index) {
    const int64_t batch = index / blocks, first = index % blocks * p.block;
    if (batch != packed) pack_b(p, s, p.b + p.b_offsets[batch]);
    packed = batch;
    const int rows = (int)(p.rows - first < p.block ? p.rows - first : p.block);
    const int8_t* a = p.a + p.a_offsets[batch] + first * p.depth;
    for (int r = 0; r < rows; ++r, a += p.depth) {
      uint8_t* row = s.a + r * block.a_step;
      copy_row(row, a, p.depth);
      end_row(row, p.depth);
    }
    if (block.row_sums != nullptr) sum_rows(row_sums, s.a, block.a_step, rows, p.depth);
    block.y = p.y + (batch * p.rows + first) * p.columns;
    block_s8(block, rows, 0, vectors);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
