// Parameters of the kernels that multiply with int8 weights.
//
// Packed weights: panels of 16 output channels, [panel][k / G][16][G] bytes, channels and k padded
// with zeros; G consecutive k make one 32-bit lane: 4 where bytes are multiplied (u8 * s8), 2 where
// 16-bit numbers are. Activations enter sums as x + shift: 128 where they are made unsigned, else
// 0. T is how activations are stored: int8_t, or int16_t, which always multiply as 16-bit numbers.
#pragma once

#include "core/kernel.h"

namespace linnet {

// What follows a sum: y = clip(round_half_even(float(acc) * scale[n]) + zero, low, high), where
// acc = bias[n] + sum of (x + shift) * w - weight_zero[n] * sum of (x + shift).
// Arrays are padded to whole panels. `weight_zero` is null where all are zero. |acc * scale[n]|
// stays below 2^31 for every acc of int8 that can occur; scaled sums of int16 may be beyond.
struct OutputS8 {
  const int32_t* bias;
  const float* scale;
  const int32_t* weight_zero;
  int32_t zero;
  int32_t low;
  int32_t high;
  // What is known of every acc that can occur: |acc| < 2^22, |acc * scale[n]| < 2^22 and < 2^15 -
  // 2^8.
  bool small_sums, small_outputs, word_outputs;
};

// Where a convolution's rows of activations come from.
enum class SourceS8 : int32_t {
  rows,     // 1 x 1, stride 1, no padding, one group: x itself, pixel by pixel
  windows,  // every window is copied out of x
  band,     // input rows are copied with their padding; windows are read in place
};

// y[n,i,j,g*o + c] over x[n, i*sh - top + p*dh, j*sw - left + q*dw, g*channels + k]; x is
// contiguous with groups * channels numbers per pixel and may be over-read by 64 bytes. A matrix
// product is a 1 x 1 convolution over an image of one row.
//
// k runs through `segments` runs of `segment` activations that lie side by side in the source, each
// padded to whole lanes in the packed weights: the whole window (rows, windows), one kernel row
// (band), or one pixel of it (band, where dilation or groups set the pixels apart). Weights less
// their zero points that int8 does not hold go on in further lanes, which read their activations
// again, or a single segment's zero points stay apart (output.weight_zero): `offsets` says where
// each of the `steps` lanes' worth of k lies, from a window's start.
//
// Sums of int16 fit int32 over `run` steps. Where whole ones need not, runs are added up in int64
// from `wide_bias` on, which is padded as the bias is and else null.
template <class T>
struct ConvParams {
  const T* x;
  T* y;
  const int8_t* weights;
  OutputS8 output;
  const int64_t* wide_bias;
  int32_t run;
  int64_t y_image, y_row, y_pixel;  // steps of y in numbers
  int32_t batch, height, width, channels, groups;
  int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
  int32_t out_h, out_w, out_channels;  // out_channels of one group
  int32_t zero;                        // stored value of the padding
  bool careful;                        // a product of the weights' pairs may exceed 16 bits
  SourceS8 source;
  int32_t segments, segment;
  const int32_t* offsets;
  int32_t steps;
  // Block-sparse weights (rows, windows; one group): panel g holds its lanes' worth of k
  // starts[g] .. starts[g + 1] - 1 only, the others are zeros; weights and `offsets` have no more.
  // Null where all are there.
  const int32_t* starts;
  int32_t block;                 // rows, windows: activation rows at a time
  int32_t band_rows, band_cols;  // band: output rows and columns at a time
  Tails tails;

  bool takes_tails() const {
    return y_pixel == static_cast<int64_t>(groups) * out_channels && y_row == out_w * y_pixel &&
           y_image == out_h * y_row;
  }
};
using ConvS8Params = ConvParams<int8_t>;
using ConvS16Params = ConvParams<int16_t>;

// y[b] = a[b] * op(b[b]) for `batch` pairs of matrices whose offsets are given; b is packed at run
// time. a may be over-read by 64 bytes.
struct MatMulS8Params {
  const int8_t* a;
  const int8_t* b;
  int8_t* y;
  const int64_t* a_offsets;
  const int64_t* b_offsets;
  OutputS8 output;  // scale is padded to whole panels; bias and weight_zero are made at run time
  int32_t batch, rows, depth, columns;
  int32_t b_transposed;  // b is (columns, depth) and not (depth, columns)
  int32_t a_zero, b_zero;
  int32_t block;
};

}  // namespace linnet
