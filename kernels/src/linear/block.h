// Linear layers with 4-bit weights in groups: rows as int8, halves of bytes multiplied as they are.
#pragma once

#include "linear/quantize_row.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kPairWords = kHasDot ? 2 : 4;  // 32-bit words of activations for 8 k
constexpr int kBlockRows = 4;

// Rows as int8 in the order that the loop takes them, the sums of their groups, their steps.
struct BlockRows {
  int32_t* words;  // per row: kPairWords for every 8 k
  float* sums;     // per row: of each group
  float step[kBlockRows];
  int64_t word_step, sum_step;
};

static float bytes_of_block_row(int8_t* to, const float* x, int64_t count, int64_t padded_count) {
  F most = splat_f(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) most = max_f(abs_f(load_f(x + i)), most);
  if (i < count) most = max_f(abs_f(load_f(x + i, static_cast<int>(count - i))), most);
  const float step = top_of(most) * (1.0f / 127.0f);
  const F inverse = splat_f(step >= 1e-30f ? 1.0f / step : 0.0f);
  for (i = 0; i < count; i += kLanes) {
    const int lanes = static_cast<int>(count - i < kLanes ? count - i : kLanes);
    const F value = lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes);
    store_s8(to + i, to_i_round(value * inverse));
  }
  for (i = count; i < padded_count; ++i) to[i] = 0;
  return step >= 1e-30f ? step : 0.0f;
}

// Puts int8 activations in order: bytes as they are, or 16-bit pairs of every other one.
static void order_row(int32_t* words, const int8_t* q, int64_t count) {
  if constexpr (kHasDot) {
    memcpy(words, q, static_cast<size_t>(count));
  } else {
    int16_t* pairs = reinterpret_cast<int16_t*>(words);
    for (int64_t k = 0; k < count; k += 4, pairs += 4, q += 4) {
      pairs[0] = q[0], pairs[1] = q[2], pairs[2] = q[1], pairs[3] = q[3];
    }
  }
}

static void fill_rows(const BlockLinearParams& p, BlockRows& rows, int8_t* bytes, int64_t row,
                      int count) {
  for (int r = 0; r < count; ++r) {
    rows.step[r] = bytes_of_block_row(bytes, p.x + (row + r) * p.depth, p.depth, p.padded_depth);
    order_row(rows.words + r * rows.word_step, bytes, p.padded_depth);
    for (int64_t g = 0; g * p.group < p.padded_depth; ++g) {
      int32_t sum = 0;
      for (int64_t k = g * p.group; k < (g + 1) * p.group; ++k) sum += bytes[k];
      rows.sums[r * rows.sum_step + g] = static_cast<float>(sum);
    }
  }
}

LINNET_INLINE I load_bits(const uint8_t* w) { return load_i(reinterpret_cast<const int32_t*>(w)); }

// A template, so that an ISA without byte products need not declare them.
template <class Vector>
LINNET_INLINE Vector dot_halves(Vector sum, Vector halves, Vector a) {
  return dot_u8s8(sum, halves, a);
}

// sum += products of kLanes columns' halves of bytes with 8 activations.
template <class Vector>
LINNET_INLINE void add_halves(Vector& low, Vector& high, Vector w, const int32_t* a) {
  if constexpr (kHasDot) {
    const I mask = splat_i(0x0f0f0f0f);
    low = dot_halves(low, w & mask, splat_i(a[0]));
    high = dot_halves(high, (I)((U)w >> 4) & mask, splat_i(a[1]));
  } else {
    const I mask = splat_i(0x000f000f);
    low = low + madd16(w & mask, splat_i(a[0])) + madd16((I)((U)w >> 8) & mask, splat_i(a[1]));
    high = high + madd16((I)((U)w >> 4) & mask, splat_i(a[2])) +
           madd16((I)((U)w >> 12) & mask, splat_i(a[3]));
  }
}

template <int MR>
static void block_tile(const BlockLinearParams& p, const BlockRows& rows, int64_t row,
                       int64_t column) {
  const int64_t panel = column / kPanel, lane = column % kPanel;
  const int64_t groups = p.padded_depth / p.group;
  const uint8_t* w = p.weights + panel * (p.padded_depth / 8) * 64 + lane * 4;
  const float* scale = p.scale + panel * groups * kPanel + lane;
  const uint8_t* zero = p.zero != nullptr ? p.zero + panel * groups * kPanel + lane : nullptr;
  F total[MR];
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) total[i] = splat_f(0.0f);
  const int32_t* words = rows.words;
  for (int64_t g = 0; g < groups; ++g, scale += kPanel) {
    I low[MR], high[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) low[i] = high[i] = splat_i(0);
    for (int64_t k = 0; k < p.group; k += 8, w += 64, words += kPairWords) {
      const I bits = load_bits(w);
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) add_halves(low[i], high[i], bits, words + i * rows.word_step);
    }
    const F factor = load_f(scale);
    const F middle = zero != nullptr ? to_f(load_u8(zero + g * kPanel)) : splat_f(8.0f);
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) {
      // Both are whole numbers below 2^24, so this is exact.
      const F sum = to_f(low[i] + high[i]) - middle * splat_f(rows.sums[i * rows.sum_step + g]);
      total[i] = fma(sum, factor, total[i]);
    }
  }
  const F bias = p.bias != nullptr ? load_f(p.bias + column) : splat_f(0.0f);
  const int64_t left = p.columns - column;
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) {
    const F value = fma(total[i], splat_f(rows.step[i]), bias);
    float* y = p.y + (row + i) * p.columns + column;
    left >= kLanes ? store_f(y, value) : store_f(y, value, static_cast<int>(left));
  }
}

static void block_rows_tile(int count, const BlockLinearParams& p, const BlockRows& rows,
                            int64_t row, int64_t column) {
  switch (count) {
    case 1:
      return block_tile<1>(p, rows, row, column);
    case 2:
      return block_tile<2>(p, rows, row, column);
    case 3:
      return block_tile<3>(p, rows, row, column);
    default:
      return block_tile<4>(p, rows, row, column);
  }
}

// Threads share the columns: every weight is read by one of them.
static void run_block_linear(const BlockLinearParams& p, const Worker& worker) {
  const int64_t vectors = (p.columns + kLanes - 1) / kLanes;
  const Span mine = split(vectors, worker, kPanel / kLanes);
  if (mine.begin == mine.end) return;
  BlockRows rows;
  rows.word_step = p.padded_depth / 8 * kPairWords;
  rows.sum_step = p.padded_depth / p.group;
  rows.words = static_cast<int32_t*>(worker.scratch);
  rows.sums = reinterpret_cast<float*>(rows.words + kBlockRows * rows.word_step);
  int8_t* bytes = reinterpret_cast<int8_t*>(rows.sums + kBlockRows * rows.sum_step);
  for (int64_t row = 0; row < p.rows; row += kBlockRows) {
    const int count = static_cast<int>(p.rows - row < kBlockRows ? p.rows - row : kBlockRows);
    fill_rows(p, rows, bytes, row, count);
    for (int64_t vector = mine.begin; vector < mine.end; ++vector) {
      block_rows_tile(count, p, rows, row, vector * kLanes);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
