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

// int8. Work is cut into units of 4 * lanes consecutive bytes of an output row. Two mappings:
// pixel (E >= unit): a unit is a block of channels of one pixel; the last block overlaps its
// neighbor. Flat (E < unit): a unit is any such piece of the row [out_width * E]; its weights
// repeat every `cycle` units. A task is a block of channels (pixel) and a tile of units.
//
// Input rows are widened once into scratch ("words"): each 32-bit lane holds `taps` neighboring
// taps of one channel, so a row of the kernel costs one dot product per group of taps and vector.
struct DepthwiseS8Params {
  DepthwiseShape shape;
  const int8_t* x;
  int8_t* y;
  const int32_t* weights;  // [block][kernel_h][pieces][groups][unit words], in lane order
  const int32_t* bias;     // [block][unit], input zero point folded in where taps are u8
  const float* scale;      // [block][unit]
  int zero_in, zero_out, low, high;
  bool flat;
  int cycle;   // units after which the weights repeat (1 in the pixel mapping)
  int blocks;  // channel blocks in the weights
  int groups;  // groups of taps per kernel row
  int pieces;  // int8 weights that add up to one weight
  int planes;  // word planes per row: 1 where groups share one by a shift, else groups
  int shift;   // units from one group to the next in a shared plane
  int tile;    // output units per task, a multiple of cycle
  int tiles;
  int row_units;   // units per plane in scratch
  int raw_pixels;  // pixels per phase of a raw row in scratch
  int slots;       // rows of words kept
};

struct DepthwiseF32Params {
  DepthwiseShape shape;
  const float* x;
  float* y;
  const float* weights;  // [kernel_h * kernel_w][E rounded up to lanes]
  const float* bias;     // [E rounded up to lanes]
  float low, high;
};

}  // namespace linnet
