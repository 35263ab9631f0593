// Parameters of linear layers on float activations with small integer weights.
#pragma once

#include "core/kernel.h"

namespace linnet {

enum class Activation : int32_t { kNone, kRelu, kGelu, kGeluTanh, kSilu };

// y[m, n] = activation(step[m] * scale[n] * sum over k of (q[m, k] - zero[m]) * (w[n, k] -
// weight_zero[n]) + bias[n]) + residual[m, n], sums exact.
// Row m is quantized to bytes as it is read:
//   low = min(0, row), high = max(0, row), step = (high - low) / 255, inverse = 1 / step,
//   zero = clip(round_half_even(-low / step), 0, 255),
//   q = clip(round_half_even(x * inverse) + zero, 0, 255);
// a step below 1e-35 counts as one for a row of zeros, a row that holds NaN or an infinity gives
// NaN. With `range` (low, high) every row uses that range, and x / step instead of x * inverse.
// Weights are packed as the int8 family's, column_sums[n] is the sum of w[n, :]; scale, bias and
// the others are padded to whole panels. The outputs may be several matrices: each takes the
// columns after those of the one before, and its columns are padded to whole panels by themselves.
// bias, residual (of the first matrix alone) and weight_zero may be null. x is read by
// up to 64 bytes behind its end.
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
