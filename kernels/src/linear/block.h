// Linear layers with weights of 4 or 8 bits in groups: rows as int8 or as they are, weights
// multiplied as they are stored.
#pragma once

#include "linear/quantize_row.h"

namespace linnet {
namespace LINNET_ISA {

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

LINNET_INLINE I load_bits(const uint8_t* w) { return load_i(reinterpret_cast<const int32_t*>(w)); }

// The word of weights for the second four of eight k.
template <int kBits>
LINNET_INLINE I second_word(I first, const uint8_t* w) {
  return kBits == 4 ? (I)((U)first >> 4) : load_bits(w + 64);
}

constexpr bool kDotsOfBytes = kHasDot || kHasDotS8;

// A template, so that an ISA without products of these bytes need not declare them.
template <class Vector>
LINNET_INLINE Vector dot_bytes(Vector sum, Vector w, Vector a) {
  if constexpr (kHasDot) {
    return dot_u8s8(sum, w, a);
  } else {
    return dot_s8s8(sum, w, a);
  }
}

namespace {

// Rows of int8: bytes as they are, or 16-bit pairs of every other one.
struct ByteRows {
  using Number = int32_t;
  using Sum = I;
  static constexpr int kPerEight = kDotsOfBytes ? 2 : 4;
  // What products of signed bytes take off weights of 8 bits.
  template <int kBits>
  static constexpr int kLess = kBits == 8 && kHasDotS8 ? 128 : 0;

  static Sum none() { return splat_i(0); }

  // sum + the products of `kBits` of each byte of w with four activations.
  template <int kBits>
  LINNET_INLINE Sum add(Sum sum, I w, const Number* a) {
    constexpr uint32_t kMask = (1u << kBits) - 1;
    if constexpr (kDotsOfBytes) {
      const I mask = splat_i(static_cast<int32_t>(kMask * 0x01010101u));
      const I less = splat_i(static_cast<int32_t>(kLess<kBits> * 0x01010101u));
      return dot_bytes(sum, (w & mask) ^ less, splat_i(a[0]));
    } else {
      const I mask = splat_i(static_cast<int32_t>(kMask * 0x00010001u));
      return sum + madd16(w & mask, splat_i(a[0])) + madd16((I)((U)w >> 8) & mask, splat_i(a[1]));
    }
  }

  LINNET_INLINE F total(Sum low, Sum high) { return to_f(low + high); }

  // Writes a row and the sums of its groups; returns its step.
  static float fill(Number* to, float* sums, int8_t* bytes, const float* x,
                    const BlockLinearParams& p) {
    const float step = bytes_of_block_row(bytes, x, p.depth, p.padded_depth);
    for (int64_t k = 0; k < p.padded_depth; k += p.group, ++sums) {
      int32_t sum = 0;
      for (int64_t i = k; i < k + p.group; ++i) sum += bytes[i];
      *sums = static_cast<float>(sum);
    }
    if constexpr (kDotsOfBytes) {
      memcpy(to, bytes, static_cast<size_t>(p.padded_depth));
    } else {
      int16_t* pairs = reinterpret_cast<int16_t*>(to);
      for (int64_t k = 0; k < p.padded_depth; k += 4, pairs += 4, bytes += 4) {
        pairs[0] = bytes[0], pairs[1] = bytes[2], pairs[2] = bytes[1], pairs[3] = bytes[3];
      }
    }
    return step;
  }
};

// Rows as they are.
struct FloatRows {
  using Number = float;
  using Sum = F;
  static constexpr int kPerEight = 8;
  template <int kBits>
  static constexpr int kLess = 0;

  static Sum none() { return splat_f(0.0f); }

  template <int kBits>
  LINNET_INLINE Sum add(Sum sum, I w, const Number* a) {
    const I mask = splat_i((1 << kBits) - 1);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      sum = fma(to_f((I)((U)w >> (8 * i)) & mask), splat_f(a[i]), sum);
    }
    return sum;
  }

  LINNET_INLINE F total(Sum low, Sum high) { return low + high; }

  static float fill(Number* to, float* sums, int8_t*, const float* x, const BlockLinearParams& p) {
    memcpy(to, x, static_cast<size_t>(p.depth) * sizeof(float));
    for (int64_t k = p.depth; k < p.padded_depth; ++k) to[k] = 0.0f;
    for (int64_t k = 0; k < p.padded_depth; k += p.group, ++sums) {
      float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
      for (int64_t i = k; i < k + p.group; i += 8) {
        for (int j = 0; j < 8; ++j) part[j] += to[i + j];
      }
      *sums =
          ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
    }
    return 1.0f;
  }
};

}  // namespace

// Up to kBlockRows rows in the order that the loop takes them, the sums of their groups, their
// steps.
template <class Rows>
struct BlockOfRows {
  typename Rows::Number* numbers;
  float* sums;
  float step[kBlockRows];
  int64_t number_step, sum_step;
};

template <class Rows, int kBits, int MR>
static void block_tile(const BlockLinearParams& p, const BlockOfRows<Rows>& rows, int64_t row,
                       int64_t column) {
  using Sum = typename Rows::Sum;
  constexpr float kLess = Rows::template kLess<kBits>;
  const int64_t panel = column / kPanel, lane = column % kPanel;
  const int64_t groups = p.padded_depth / p.group;
  const uint8_t* w = p.weights + panel * (p.padded_depth / 8) * 16 * kBits + lane * 4;
  const float* scale = p.scale + panel * groups * kPanel + lane;
  const uint8_t* zero = p.zero != nullptr ? p.zero + panel * groups * kPanel + lane : nullptr;
  F total[MR];
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) total[i] = splat_f(0.0f);
  const typename Rows::Number* a = rows.numbers;
  for (int64_t g = 0; g < groups; ++g, scale += kPanel) {
    Sum low[MR], high[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) low[i] = high[i] = Rows::none();
    for (int64_t k = 0; k < p.group; k += 8, w += 16 * kBits, a += Rows::kPerEight) {
      const I first = load_bits(w), second = second_word<kBits>(first, w);
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) {
        const typename Rows::Number* own = a + i * rows.number_step;
        low[i] = Rows::template add<kBits>(low[i], first, own);
        high[i] = Rows::template add<kBits>(high[i], second, own + Rows::kPerEight / 2);
      }
    }
    const F factor = load_f(scale);
    const F middle = zero != nullptr ? to_f(load_u8(zero + g * kPanel)) - splat_f(kLess)
                                     : splat_f((kBits == 4 ? 8.0f : 128.0f) - kLess);
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) {
      // Whole numbers below 2^24 on bytes, so that this is exact.
      const F less = middle * splat_f(rows.sums[i * rows.sum_step + g]);
      total[i] = fma(Rows::total(low[i], high[i]) - less, factor, total[i]);
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

template <class Rows, int kBits, int MR = kBlockRows>
static void block_rows_tile(int count, const BlockLinearParams& p, const BlockOfRows<Rows>& rows,
                            int64_t row, int64_t column) {
  if (count == MR) {
    block_tile<Rows, kBits, MR>(p, rows, row, column);
  } else if constexpr (MR > 1) {
    block_rows_tile<Rows, kBits, MR - 1>(count, p, rows, row, column);
  }
}

// Threads share the columns: every weight is read by one of them.
template <class Rows, int kBits>
static void run_block_rows(const BlockLinearParams& p, const Worker& worker) {
  const int64_t vectors = (p.columns + kLanes - 1) / kLanes;
  const Span mine = split(vectors, worker, kPanel / kLanes);
  if (mine.begin == mine.end) return;
  BlockOfRows<Rows> rows;
  rows.number_step = p.padded_depth / 8 * Rows::kPerEight;
  rows.sum_step = p.padded_depth / p.group;
  rows.numbers = static_cast<typename Rows::Number*>(worker.scratch);
  rows.sums = reinterpret_cast<float*>(rows.numbers + kBlockRows * rows.number_step);
  int8_t* bytes = reinterpret_cast<int8_t*>(rows.sums + kBlockRows * rows.sum_step);
  for (int64_t row = 0; row < p.rows; row += kBlockRows) {
    const int count = static_cast<int>(p.rows - row < kBlockRows ? p.rows - row : kBlockRows);
    for (int r = 0; r < count; ++r) {
      rows.step[r] = Rows::fill(rows.numbers + r * rows.number_step, rows.sums + r * rows.sum_step,
                                bytes, p.x + (row + r) * p.depth, p);
    }
    for (int64_t vector = mine.begin; vector < mine.end; ++vector) {
      block_rows_tile<Rows, kBits>(count, p, rows, row, vector * kLanes);
    }
  }
}

static void run_block_linear(const BlockLinearParams& p, const Worker& worker) {
  if (p.whole) {
    p.bits == 4 ? run_block_rows<FloatRows, 4>(p, worker) : run_block_rows<FloatRows, 8>(p, worker);
  } else {
    p.bits == 4 ? run_block_rows<ByteRows, 4>(p, worker) : run_block_rows<ByteRows, 8>(p, worker);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
