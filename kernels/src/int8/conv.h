// int8 convolution: gather a block of windows, multiply it with the packed weights.
#pragma once

#include "int8/gather.h"

namespace linnet {
namespace LINNET_ISA {



// Gathers output pixels [begin, begin + rows) and notes where their outputs go.
static void gather_rows(const ConvS8Params& p, uint8_t* a, int64_t a_step, int64_t begin, int rows,
                        int group, int8_t** y) {
  const int64_t depth = (int64_t)p.kernel_h * p.kernel_w * p.channels;
  const I padding = stored_padding(p.zero);
  int64_t j = begin % p.out_w, i = begin / p.out_w % p.out_h;
  int64_t image = begin / p.out_w / p.out_h;
  for (int row = 0; row < rows; ++row, a += a_step) {
    gather_window(p, a, image, i, j, group, padding);
    end_row(a, depth);
    y[row] = p.y + image * p.y_image + i * p.y_row + j * p.y_pixel + (int64_t)group * p.out_channels;
    if (++j == p.out_w) {
      j = 0;
      if (++i == p.out_h) i = 0, ++image;
    }
  }
}

// Output pixels [begin, end) of one group, vectors [first, last) of its channels.
static void conv_part(const ConvS8Params& p, void* scratch, int group, int64_t begin, int64_t end,
                      int first, int last) {
  const int64_t depth = (int64_t)p.kernel_h * p.kernel_w * p.channels;
  const int64_t panels = padded(p.out_channels, kPanel) / kPanel;
  int32_t row_sums[kMaxBlock];
  int8_t* y[kMaxBlock];
  BlockS8 block;
  block.a = (const uint8_t*)scratch;
  block.a_step = row_bytes(depth, kLayout);
  block.panel_step = panel_bytes(depth, kLayout);
  block.weights = p.weights + group * panels * block.panel_step;
  block.steps = padded(depth, kLayout.group) / kLayout.group;
  block.output = p.output;
  block.output.bias += group * panels * kPanel;
  block.output.scale += group * panels * kPanel;
  const bool shifted = p.output.weight_zero != nullptr;
  if (shifted) block.output.weight_zero += group * panels * kPanel;
  block.row_sums = shifted ? row_sums : nullptr;
  block.y = y;
  block.channels = p.out_channels;
  for (int64_t row = begin; row < end; row += p.block) {
    const int rows = (int)(end - row < p.block ? end - row : p.block);
    gather_rows(p, (uint8_t*)scratch, block.a_step, row, rows, group, y);
    for (int r = 0; shifted && r < rows; ++r) {
      row_sums[r] = row_sum(block.a + r * block.a_step, depth);
    }
    block_s8(block, rows, first, last);
  }
}

// Threads share the output pixels; where those are few they share the channels.
static void conv_s8_body(const ConvS8Params& p, const Worker& worker) {
  const int64_t rows = (int64_t)p.batch * p.out_h * p.out_w;
  const int vectors = (p.out_channels + kLanes - 1) / kLanes;
  const bool by_rows = rows >= (int64_t)worker.threads * kMaxRows;
  const Span pixels = by_rows ? split(rows, worker, kMaxRows) : Span{0, rows};
  const Span lanes = by_rows ? Span{0, vectors} : split(vectors, worker, kMaxVectors);
  if (pixels.begin == pixels.end || lanes.begin == lanes.end) return;
  for (int group = 0; group < p.groups; ++group) {
    conv_part(p, worker.scratch, group, pixels.begin, pixels.end, (int)lanes.begin, (int)lanes.end);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
