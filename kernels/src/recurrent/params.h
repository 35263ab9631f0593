// Parameters of recurrent layers.
#pragma once

#include "core/kernel.h"

namespace linnet {

// A scale as integer * 2 ** (shift - 31); shift may be negative.
struct FixedScale {
  int32_t integer;
  int32_t shift;
};

// An LSTM over a sequence, gates in the order input, forget, cell, output. Per step and gate g:
//   gate = clip16(fixed(x * W[g] + input_bias[g], input[g]))
//   gate = clip16(gate + fixed(h * R[g] + recurrent_bias[g], recurrent[g]))
//   i, f, o = sigmoid[gate], g = tanh[gate], i = 32767 - f where `coupled`
//   c = clip16(round(f * c, 15) + round(i * g, added)), then within +-clip where that is not 0
//   h = y = clip8(fixed(o * cell_tanh[c], hidden) + hidden_zero)
// fixed(v, s) = round(floor((v << max(s.shift, 0)) * s.integer / 2**31 + 1/2), max(-s.shift, 0)),
// round(v, n) = v / 2**n, halves away from zero. Tables begin at -32768. Zero points are folded
// into the biases. W and R are packed as the int8 family's, each gate padded to whole panels;
// rows of x, h and y are read by up to 64 bytes behind their ends.
struct LstmS8Params {
  const int8_t* x;
  const int8_t* h_before;
  const int16_t* c_before;
  int8_t* y;
  int8_t* h;
  int16_t* c;
  const int8_t* input_weights;
  const int8_t* recurrent_weights;
  const int32_t* input_bias;
  const int32_t* recurrent_bias;
  const int16_t* sigmoid;
  const int16_t* tanh;
  const int16_t* cell_tanh;
  FixedScale input[4];
  FixedScale recurrent[4];
  FixedScale hidden;
  int32_t hidden_zero;
  int32_t added;
  int32_t clip;
  bool coupled;
  bool time_major;
  int64_t batch;
  int64_t time;
  int64_t depth;
  int64_t units;
};

// An LSTM over a sequence in float, gates in the order input, forget, cell, output. Per step:
//   gate = bias + x * W + h * R, then + peephole * c for input and forget (before), output (after)
//   i, f, o = sigmoid(gate), g = tanh(gate), i = 1 - f where `coupled`
//   c = f * c + i * g, within +-clip where that is not 0;  h = y = o * tanh(c)
// W and R are packed as [panel][k][16], each gate padded to whole panels; with scales they are
// packed as the int8 family's, and rows of x and h are quantized to bytes as they come:
//   symmetric: step = max(|row|) / 127; asymmetric: step = (max - min) / 255, with a zero point;
//   gate += (sum of q * w - zero * column_sums) * (step * scale)
// Biases, peepholes (input, forget, output; or null), scales and sums are padded like the gates;
// `nothing` is as many zeros as gates. Rows are read by up to 64 bytes behind their ends.
struct LstmF32Params {
  const float* x;
  const float* h_before;
  const float* c_before;
  float* y;
  float* h;
  float* c;
  const void* input_weights;
  const void* recurrent_weights;
  const float* input_scale;
  const float* recurrent_scale;
  const int32_t* input_sums;
  const int32_t* recurrent_sums;
  const float* bias;
  const float* peepholes;
  const int32_t* nothing;
  float clip;
  bool asymmetric;
  bool coupled;
  bool time_major;
  bool reverse;
  int64_t batch;
  int64_t time;
  int64_t depth;
  int64_t units;
};

// Filters over features and time. Per row of x, with m in [0, memory) and f in [0, filters):
//   after[m] = before[m + 1], after[memory - 1] = x * W
//   y[u] = clip(bias[u] + sum of after[m][f] * time[m][f] over m and f in u * rank + [0, rank))
// or tanh of it. W is packed like the gates of `LstmF32Params`, `scale` null where it is float;
// bias may be null. `nothing` is as many zeros as padded filters.
struct SvdfF32Params {
  const float* x;
  const float* before;
  float* y;
  float* after;
  const void* weights;
  const float* scale;
  const int32_t* column_sums;
  const int32_t* nothing;
  const float* time;
  const float* bias;
  float low;
  float high;
  bool tanh;
  bool asymmetric;
  int64_t batch;
  int64_t depth;
  int64_t filters;
  int64_t memory;
  int64_t rank;
};

// The same in whole numbers: after[memory - 1] = clip16(fixed(x * W + feature_bias, feature)),
// y[u] = clip8(fixed(bias[u] + sums, result) + zero), sums modulo 2**32. Zero points of x are
// folded into the feature biases; W is packed as the int8 family's.
struct SvdfS8Params {
  const int8_t* x;
  const int16_t* before;
  int8_t* y;
  int16_t* after;
  const int8_t* weights;
  const int32_t* feature_bias;
  const int16_t* time;
  const int32_t* bias;
  FixedScale feature;
  FixedScale result;
  int32_t zero;
  int64_t batch;
  int64_t depth;
  int64_t filters;
  int64_t memory;
  int64_t rank;
};

// A layer over inputs x[steps][batch][gates * units] that were multiplied already, in float. Per
// step and sequence, with s = h * R + bias (R packed as [panel][k][16], each gate padded to whole
// panels, bias and peepholes likewise):
//   lstm: i, o, f = sigmoid(x + s + peephole * c), f = 1 - i where `coupled`, o with the new c;
//         c = f * c + i * tanh(x + s);  h = o * tanh(c)
//   gru:  z, r = sigmoid(x + s);  n = tanh(x + (r * h) * R + bias), or tanh(x + r * s) where
//         `reset_after`;  h = (1 - z) * n + z * h
//   plain: h = tanh(x + s)
// What goes into an activation is within +-clip where that is not 0. Sequences shorter than `steps`
// give zeros behind their ends; a `backward` one begins at its last step. Biases are of a GRU only.
// h_before, c_before (zeros), lengths (steps) and peepholes may be null.
enum WalkKind : int32_t { kWalkPlain = 0, kWalkGru = 1, kWalkLstm = 2 };

struct WalkF32Params {
  const float* x;
  const float* weights;
  const float* bias;
  const float* peepholes;
  const float* h_before;
  const float* c_before;
  const int32_t* lengths;
  float* y;
  float* h;
  float* c;
  float clip;
  int32_t kind;
  bool backward;
  bool coupled;
  bool reset_after;
  int64_t steps;
  int64_t batch;
  int64_t units;
};

// The step of one sequence that comes after `done` others, threads share its units: of a layer
// without `lengths`, whose batch is 1, and of a GRU with `reset_after` only.
struct WalkStepF32Params {
  WalkF32Params walk;
  const int64_t* done;
};

}  // namespace linnet
