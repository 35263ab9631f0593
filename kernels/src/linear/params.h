// Parameters of linear layers on float activations with small integer weights.
#pragma once

#include "core/kernel.h"

namespace linnet {

enum class Activation : int32_t { kNone, kRelu, kGelu, kGeluTanh, kSilu, kRelu6, kQuickGelu };

// y[m, n] = activation(step[m] * scale[n] * sum over k of (q[m, k] - zero[m]) * (w[n, k] -
// weight_zero[n]) + bias[n]) + residual[m, n], sums exact.
// Row m is quantized to bytes as it is read:
//   low = min(0, row), high = max(0, row), step = (high - low) / 255, inverse = 1 / step,
//   zero = clip(round_half_even(-low / step), 0, 255),
//   q = clip(round_half_even(x * inverse) + zero, 0, 255);
// a step below 1e-35 counts as one for a row of zeros, a row that holds NaN or an infinity gives
// NaN. With `range` (low, high) every row uses that range, and x / step instead of x * inverse.
// Weights are packed as the int8 family's; the sum of w[n, :] is column_sums[n] as two 16-bit
// numbers, the low one in 0..127 and the high one in steps of 128, which asks for a depth of at
// most 32768. scale, bias and the others are padded to whole panels. The outputs may be several
// matrices: each takes the columns after those of the one before, and its columns are padded to
// whole panels by themselves. bias, residual (of the first matrix alone) and weight_zero may be
// null. x is read by up to 64 bytes behind its end.
struct LinearPart {
  float* y;
  int64_t columns;
};

constexpr int kMaxParts = 4;

struct DynamicLinearParams {
  const float* x;
  const float* range;
  const int8_t* weights;
  const float* scale;
  const float* bias;
  const int32_t* column_sums;
  const int32_t* weight_zero;
  const float* residual;
  LinearPart parts[kMaxParts];
  int64_t part_count;
  int64_t rows;
  int64_t depth;
  int64_t block;  // rows quantized at a time
  Activation activation;
};

// y[m, n] = step[m] * sum over groups g of scale[n, g] * (sum over k in g of q[m, k] *
//   (w[n, k] - zero[n, g])) + bias[n], w of `bits` (4 or 8), groups of `group` k (a multiple of 8).
// q and step are each row's int8 form, step = greatest magnitude / 127; with `whole` they are the
// row itself and 1.
// Weights of 8 bits are packed [panel of 16 columns][k / 4][16][4] bytes, those of 4 bits [panel]
// [k / 8][16][4] bytes: the low halves are k to k + 3, the high ones k + 4 to k + 7; scale and zero
// are [panel][group][16]. zero may be null for the middle, 8 or 128, throughout; bias null. x is
// read by up to 64 bytes behind its end.
struct BlockLinearParams {
  const float* x;
  const uint8_t* weights;
  const float* scale;
  const uint8_t* zero;
  const float* bias;
  float* y;
  int64_t rows;
  int64_t depth;
  int64_t padded_depth;  // whole groups
  int64_t columns;
  int64_t group;
  int32_t bits;
  bool whole;
};

// Bytes of scratch: rows as the loop takes them, the sums of their groups, one row's bytes.
constexpr int kBlockRows = 4;
static inline int64_t block_scratch(const BlockLinearParams& p) {
  const int64_t numbers = kBlockRows * (p.padded_depth + p.padded_depth / p.group);
  return numbers * static_cast<int64_t>(sizeof(float)) + p.padded_depth + 128;
}

// Pairs (a, b) of each head turn by the angle of their position: (a cos - b sin, b cos + a sin).
// Pairs are (x[i], x[i + half]), or neighbors with `interleaved`; depth - 2 * half further numbers
// stay. Row r of x is at position start[r * starts / rows] + r / heads % length (heads last), or +
// r % length. cos and sin are [positions, half].
struct RotaryParams {
  const float* x;
  const float* cos;
  const float* sin;
  const int64_t* start;
  float* y;
  int64_t rows;
  int64_t heads;
  int64_t length;
  int64_t depth;
  int64_t half;
  int64_t positions;
  int64_t starts;
  bool interleaved;
  bool heads_last;
};

// out = (min, max) of x and 0; NaN where x holds NaN or an infinity.
struct RangeParams {
  const float* x;
  float* out;
  int64_t count;
};

// y[i, j] = scale[r] * (table[r, j] - zero[r]), r = indices[i], negative ones counted from the end.
// Scales and zeros are one per row of the table, or one for all. An index out of range is bad data.
struct EmbeddingParams {
  const int8_t* table;
  const float* scale;
  const int32_t* zero;
  const void* indices;
  float* y;
  int64_t rows;
  int64_t width;
  int64_t count;
  bool per_row;
  bool wide;  // indices are int64, else int32
};

}  // namespace linnet
