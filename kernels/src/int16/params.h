// Parameters of the kernels of int16 activations; convolutions are in int8/params.h.
#pragma once

#include "depthwise/params.h"
#include "elementwise/params.h"

namespace linnet {

// y = clip(round_half_even(float(acc) * scale[e]) + zero_out, low, high), where acc = bias[e] + sum
// of x * w over the taps, those outside the image reading zero_in; it fits int32. Outputs are
// padded to whole vectors of 16 in weights [kernel_h * kernel_w][E], bias and scale. A weight is
// the low half of its lane, whose high half is zero.
struct DepthwiseS16Params {
  DepthwiseShape shape;
  const int16_t* x;
  int16_t* y;
  const int32_t* weights;
  const int32_t* bias;
  const float* scale;
  int zero_in, zero_out, low, high;
};

// y[i] = table[x[i] as an unsigned number], elements of one byte or two, one of them of two.
struct TableS16Params {
  const void* x;
  void* y;
  const void* table;
  int64_t count;
  int32_t x_size;
  int32_t y_size;
};

// IntegerSoftmax of each row: tables of 513 samples, the factor of x as integer and shift.
struct SoftmaxS16Params {
  const int16_t* x;
  int16_t* y;
  const int16_t* exponents;
  const int16_t* reciprocals;
  int64_t rows;
  int64_t length;
  int64_t factor;
  int32_t shift;
};

}  // namespace linnet
