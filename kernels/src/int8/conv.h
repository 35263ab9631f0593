// int8 convolution: bring activations into rows, multiply them with the packed weights.
#pragma once

#include "int8/gather.h"

namespace linnet {
namespace LINNET_ISA {

// Copied rows or bands, behind room for widened weights.
LINNET_INLINE uint8_t* copied_rows(const ConvHere& p, void* scratch) {
  return (uint8_t*)scratch + (kWidens ? widened_bytes(p.steps) : 0);
}

// What a group's blocks have in common.
static BlockS8 group_block(const ConvHere& p, void* scratch, int64_t group) {
  const int64_t panels = padded(p.out_channels, kPanel) / kPanel;
  BlockS8 block;
  block.offsets = p.offsets;
  block.steps = p.steps;
  block.segment_steps = lane_steps(1, p.segment, kLayout);
  block.segments = p.segments;
  block.careful = p.careful;
  block.half = ends_in_half(p.segment, kLayout);
  block.run = p.run;
  block.row_sums = nullptr;
  block.panel_step = p.steps * (int64_t)(kLayout.group * kPanel);
  block.weights = p.weights + group * panels * block.panel_step;
  block.widened = kWidens && p.starts == nullptr ? scratch : nullptr;
  block.output = p.output;
  block.output.bias += group * panels * kPanel;
  block.output.scale += group * panels * kPanel;
  if (p.output.weight_zero != nullptr) block.output.weight_zero += group * panels * kPanel;
  block.wide_bias = p.wide_bias == nullptr ? nullptr : p.wide_bias + group * panels * kPanel;
  block.y_step = p.y_pixel;
  block.channels = p.out_channels;
  return block;
}

// Copies windows of one group, output pixels [pixel, pixel + rows) of one image row after the
// other.
static void copy_windows(const ConvHere& p, uint8_t* to, int64_t step, int64_t pixel, int rows,
                         int64_t group) {
  const I padding = stored_padding(p.zero);
  const int64_t bytes = (int64_t)p.height * p.width * p.channels * p.groups;
  const int64_t bottom = p.height - 1 - (p.kernel_h - 1) * (int64_t)p.dilation_h;
  // Windows from column `first` to `last` lie inside the image.
  const int64_t first = (p.left + p.stride_w - 1) / p.stride_w;
  const int64_t last = three_narrow_rows(p) && p.width + p.left >= p.kernel_w
                           ? (p.width + p.left - p.kernel_w) / p.stride_w
                           : -1;
  int64_t j = pixel % p.out_w, i = pixel / p.out_w % p.out_h;
  const Code* image = p.x + pixel / p.out_w / p.out_h * bytes + group * p.channels;
  while (rows > 0) {
    const int64_t y = i * p.stride_h - p.top, x = j * p.stride_w - p.left;
    int64_t count = 1;
    if (j >= first && j <= last && y >= 0 && y <= bottom) {
      const int64_t end = last + 1 < p.out_w ? last + 1 : p.out_w;
      count = end - j < rows ? end - j : rows;
      copy_narrow_windows(p, to, step, image + (y * p.width + x) * p.channels, count);
    } else {
      copy_window(p, to, image, y, x, padding);
      end_row(to, p.segment);
    }
    to += count * step;
    rows -= (int)count;
    if ((j += count) < p.out_w) continue;
    j = 0;
    if (++i < p.out_h) continue;
    i = 0;
    image += bytes;
  }
}

// Pixels of a contiguous image are one long row where no padding lies between them.
static void copy_rows(const ConvHere& p, uint8_t* to, int64_t step, int64_t pixel, int rows) {
  const Code* x = p.x + pixel * p.channels;
  if (step == (int64_t)p.channels * kLayout.element) {
    copy_row(to, x, (int64_t)rows * p.channels);
    return;
  }
  for (int row = 0; row < rows; ++row, to += step, x += p.channels) {
    copy_row(to, x, p.channels);
    end_row(to, p.channels);
  }
}

// Rows [0, rows) against vectors [begin, end) whose panels hold some lanes' worth of k only.
static void sparse_block(const ConvHere& p, const BlockS8& whole, int rows, int begin, int end) {
  BlockS8 block = whole;
  block.segment_steps = 1;
  block.half = false;
  block.panel_step = 0;
  for (int vector = begin; vector < end;) {
    const int panel = vector / kVectorsPerPanel;
    const int next = (panel + 1) * kVectorsPerPanel < end ? (panel + 1) * kVectorsPerPanel : end;
    block.offsets = whole.offsets + p.starts[panel];
    block.weights = whole.weights + p.starts[panel] * (int64_t)(kLayout.group * kPanel);
    block.steps = block.segments = p.starts[panel + 1] - p.starts[panel];
    block_s8(block, rows, vector, next);
    vector = next;
  }
}

// A range of output pixels of one group against a range of vectors.
static void conv_pixels(const ConvHere& p, void* scratch, int64_t group, Span pixels,
                        Span vectors) {
  BlockS8 block = group_block(p, scratch, group);
  uint8_t* rows_at = copied_rows(p, scratch);
  const bool in_place = kInPlace && p.source == SourceS8::rows;
  int32_t row_sums[kMaxBlock];
  block.a = rows_at;
  block.a_step = in_place ? (int64_t)p.channels * kLayout.element : row_bytes(p.segment, kLayout);
  const bool joined = p.y_row == p.out_w * p.y_pixel && p.y_image == p.out_h * p.y_row;
  for (int64_t pixel = pixels.begin; pixel < pixels.end;) {
    int64_t here = pixels.end - pixel;
    block.y = p.y + pixel * p.y_pixel + group * p.out_channels;
    if (!joined) {
      const int64_t j = pixel % p.out_w, i = pixel / p.out_w % p.out_h;
      if (here > p.out_w - j) here = p.out_w - j;
      block.y = p.y + pixel / p.out_w / p.out_h * p.y_image + i * p.y_row + j * p.y_pixel +
                group * p.out_channels;
    }
    const int rows = (int)(here < p.block ? here : p.block);
    if (in_place) {
      block.a = (const uint8_t*)(p.x + pixel * p.channels);
    } else if (p.source == SourceS8::rows) {
      copy_rows(p, rows_at, block.a_step, pixel, rows);
    } else {
      copy_windows(p, rows_at, block.a_step, pixel, rows, group);
    }
    if (p.output.weight_zero != nullptr) {
      sum_rows(row_sums, block.a, block.a_step, rows, p.segment);
      block.row_sums = row_sums;
    }
    if (p.starts != nullptr) {
      sparse_block(p, block, rows, (int)vectors.begin, (int)vectors.end);
    } else {
      block_s8(block, rows, (int)vectors.begin, (int)vectors.end);
    }
    const int64_t first = vectors.begin * kLanes;
    const int64_t end =
        vectors.end * kLanes < p.out_channels ? vectors.end * kLanes : p.out_channels;
    finish_rows(p.tails, block.y - p.y + first, end - first, rows, p.y_pixel);
    pixel += rows;
  }
}

// Threads share the output pixels; where those are few they share the channels.
static void conv_by_pixels(const ConvHere& p, const Worker& worker) {
  const int64_t rows = (int64_t)p.batch * p.out_h * p.out_w;
  const int vectors = (p.out_channels + kLanes - 1) / kLanes;
  const bool by_rows = rows >= (int64_t)worker.threads * kMaxRows;
  const Span pixels = by_rows ? split(rows, worker, kMaxRows) : Span{0, rows};
  const Span lanes = by_rows ? Span{0, vectors} : split(vectors, worker, kMaxVectors);
  if (pixels.begin == pixels.end || lanes.begin == lanes.end) return;
  for (int64_t group = 0; group < p.groups; ++group) {
    conv_pixels(p, worker.scratch, group, pixels, lanes);
  }
}

struct BandS8 {
  int64_t image, i, rows, j, columns;
};

// One band of output: every strip of channels over all its rows, so that weights stay in the cache.
static void conv_band(const ConvHere& p, void* scratch, const BandS8& band) {
  const int64_t step = band_step(p, kLayout) * p.stride_h;
  const int64_t pixel = (int64_t)p.channels * p.groups;
  const int end = (p.out_channels + kLanes - 1) / kLanes;
  uint8_t* rows_at = copied_rows(p, scratch);
  copy_band(p, rows_at, p.x + band.image * p.height * p.width * pixel, band.i, band.rows, band.j,
            band.columns);
  for (int64_t group = 0; group < p.groups; ++group) {
    BlockS8 block = group_block(p, scratch, group);
    block.a_step = p.stride_w * pixel * kLayout.element;
    block.a = rows_at + group * p.channels * kLayout.element;
    block.y = p.y + band.image * p.y_image + band.i * p.y_row + band.j * p.y_pixel +
              group * p.out_channels;
    strips_s8(block, {band.rows, step, p.y_row}, (int)band.columns, 0, end);
  }
  finish_rows(p.tails, band.image * p.y_image + band.i * p.y_row + band.j * p.y_pixel,
              band.columns * p.y_pixel, band.rows, p.y_row);
}

// Threads share the output rows; where those are few they share the columns.
static void conv_by_bands(const ConvHere& p, const Worker& worker) {
  const int64_t total = (int64_t)p.batch * p.out_h;
  const bool by_rows = total >= 2 * (int64_t)worker.threads;
  const Span rows = by_rows ? split(total, worker) : Span{0, total};
  const Span columns = by_rows ? Span{0, p.out_w} : split(p.out_w, worker, kMaxRows);
  for (int64_t row = rows.begin; row < rows.end;) {
    BandS8 band;
    band.image = row / p.out_h;
    band.i = row % p.out_h;
    const int64_t here = rows.end - row < p.out_h - band.i ? rows.end - row : p.out_h - band.i;
    band.rows = here < p.band_rows ? here : p.band_rows;
    for (band.j = columns.begin; band.j < columns.end; band.j += band.columns) {
      band.columns = columns.end - band.j < p.band_cols ? columns.end - band.j : p.band_cols;
      conv_band(p, worker.scratch, band);
    }
    row += band.rows;
  }
}

static void convolve(const ConvHere& p, const Worker& worker) {
  if (p.source == SourceS8::band) {
    conv_by_bands(p, worker);
  } else {
    conv_by_pixels(p, worker);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
