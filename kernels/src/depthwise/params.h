// Parameters of the depthwise kernels.
//
// y[n, i, j, e] = finish(b[e] + sum over p, q of x[n, i*sh + p*dh - top, j*sw + q*dw - left, e / M]
//                                                * w[p, q, e]),  E = C * M output channels.
#pragma once

#include "core/kernel.h"

namespace linnet {

struct DepthwiseShape {
  int batch, height, width, channels;  // input; channels = C
  int out_height, out_width, outputs;  // output; outputs = E
  int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
  int multiplier;  // M
};

// Work is cut into units of 4 * lanes consecutive values of an output row. Two mappings:
// by pixel, a unit is a block of channels of one pixel, the last block overlapping its neighbor;
// flat, a unit is any such piece of the row [out_width * E], and weights repeat every `cycle`
// units. A task is a tile of units and, by pixel, one block of channels. The input rows of a task
// are copied to scratch with their padding; flat, columns go to stride_w phases, so that a tap
// always reads consecutive values for consecutive outputs.
struct DepthwiseTiles {
  bool flat;
  int cycle;       // units after which the weights repeat (1 by pixel)
  int blocks;      // blocks of channels that have weights of their own
  int tile;        // output units per task, a multiple of cycle
  int tiles;       // tasks per output row (and block, by pixel)
  int raw_pixels;  // pixels in a copied row (flat: per phase)
  int slots;       // input rows kept
};

// int8: each 32-bit lane of a prepared row ("words") holds neighboring taps of one channel, so that
// a row of the kernel costs one dot product per group of taps and vector. Directly, nothing is
// prepared: a lane takes the taps of one kernel column, read from the input as it is, for `rows`
// output rows (the second row's taps lie one further in the lane); `tiles` then only maps units.
struct DepthwiseS8Params {
  DepthwiseShape shape;
  DepthwiseTiles tiles;
  const int8_t* x;
  int8_t* y;
  // [block][kernel_h][pieces][groups][unit words], directly [block][rows][pieces][kernel_w][unit
  // words]; the units in lane order.
  const int32_t* weights;
  const int32_t* bias;  // [block][unit], input zero point folded in where taps are u8
  const float* scale;   // [block][unit]
  int zero_in, zero_out, low, high;
  bool direct;
  bool columns;  // Arm: rows stay bytes, a lane takes the taps of one kernel column
  bool wide;     // Arm, not interleaved [block][kernel_h * kernel_w][unit]: int16 weights, not int8
  bool small, words;  // |acc| and |acc * scale| < 2^22, the latter < 2^15 - 2^8, for every acc
  int rows;
  const int64_t* picks;  // flat, stride 2: [block][8], which qwords of the input a unit takes
  int groups;            // groups of taps per kernel row
  int pieces;            // int8 weights that add up to one weight
  int planes;     // planes of words per row: 1 where groups share one by a shift, else groups
  int shift;      // units from one group to the next in a shared plane
  int row_units;  // units per plane
};

// With one output per channel the input is read in place, weights are [tap][weight_step], whole
// vectors of them and of the bias readable, and output pixel (n, i, j) starts at
// y + n * y_image + i * y_row + j * y_pixel; else y is dense.
struct DepthwiseF32Params {
  DepthwiseShape shape;
  DepthwiseTiles tiles;
  const float* x;
  float* y;
  const float* weights;  // [block][kernel_h * kernel_w][unit]
  const float* bias;     // [block][unit]
  ptrdiff_t weight_step, y_image, y_row, y_pixel;
  float low, high;
  Tails tails;

  bool takes_tails() const {
    return shape.multiplier == 1 && y_pixel == shape.channels &&
           y_row == shape.out_width * y_pixel && y_image == shape.out_height * y_row;
  }
};

}  // namespace linnet
