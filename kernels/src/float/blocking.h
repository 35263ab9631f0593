// Sizes of the blocks that float products walk in, shared by the kernels and their binding.
#pragma once

#include "float/params.h"

namespace linnet {

// k-steps per pass over a tile: 16 floats of B per step stay in the L1 or L2 cache.
constexpr int64_t kDepthBlockF32 = 512;

// Columns of B that are packed at a time at run time (a multiple of every ISA's tile width).
constexpr int64_t kPackColumnsF32 = 64;

// Rows of A that one pass over B serves: 256 KiB of them, which stay in the L2 cache while B
// streams by; 32 KiB where B itself stays there.
static inline int64_t row_block_f32(int64_t depth, int64_t columns) {
  const bool small = depth * columns <= 32768;
  const int64_t rows = (small ? 8192 : 65536) / (depth > 0 ? depth : 1) / 24 * 24;
  const int64_t least = small ? 24 : 48;
  return rows < least ? least : rows > 480 ? 480 : rows;
}

// How many of at most `most` rows are made before tails go on with them: 256 KiB.
static inline int64_t finished_rows_f32(int64_t most, int64_t columns) {
  const int64_t rows = 65536 / (columns > 0 ? columns : 1);
  const int64_t fitting = rows < 24 ? 24 : rows;
  return fitting < most ? fitting : most;
}

// Distance of gathered rows in floats: never near a multiple of 1024, which would put a column of
// a tile into one set of the L1 cache.
static inline int64_t gathered_stride_f32(int64_t depth) {
  const int64_t padded = (depth + 15) / 16 * 16;
  return padded % 256 == 0 ? padded + 16 : padded;
}

// Floats that `rows` gathered rows occupy; copies run over a row's end by less than 16 floats.
static inline int64_t gathered_floats_f32(int64_t rows, int64_t depth) {
  return rows * gathered_stride_f32(depth) + 16;
}

// Input positions from the first to the last that `outputs` of them read (a kernel may be empty).
static inline int64_t reach_f32(int64_t outputs, int64_t stride, int64_t kernel, int64_t dilation) {
  return (outputs - 1) * stride + (kernel > 0 ? kernel - 1 : 0) * dilation + 1;
}

// Input columns and rows that output columns and rows of a convolution read, with their padding.
static inline int64_t band_rows_f32(const ConvF32Params& p, int64_t rows) {
  return reach_f32(rows, p.stride_h, p.kernel_h, p.dilation_h);
}
static inline int64_t band_columns_f32(const ConvF32Params& p) {
  return reach_f32(p.out_width, p.stride_w, p.kernel_w, p.dilation_w);
}

// Floats of one row of a padded copy.
static inline int64_t band_pitch_f32(const ConvF32Params& p) {
  return band_columns_f32(p) * p.groups * p.depth;
}

// Whether no window leaves the image.
static inline bool windows_inside_f32(const ConvF32Params& p) {
  return p.top <= 0 && p.left <= 0 && band_rows_f32(p, p.out_height) - p.top <= p.height &&
         band_columns_f32(p) - p.left <= p.width;
}

// Output rows whose padded input fits 128 KiB, half of a small L2 cache; no fewer than make half of
// what is copied new (a tall dilated kernel shares most of its input with the next band's).
static inline int64_t band_height_f32(const ConvF32Params& p) {
  const int64_t tall = band_rows_f32(p, 1);
  const int64_t fitting = 32768 / band_pitch_f32(p) - tall;
  const int64_t rows = (fitting > tall ? fitting : tall - 1) / p.stride_h + 1;
  return rows < p.out_height ? rows : p.out_height;
}

// Runs of consecutive values that a window consists of.
static inline bool has_long_runs_f32(const ConvF32Params& p) {
  return p.groups == 1 && (p.dilation_w == 1 || p.kernel_w == 1);
}
static inline int64_t window_runs_f32(const ConvF32Params& p) {
  return has_long_runs_f32(p) ? p.kernel_h : static_cast<int64_t>(p.kernel_h) * p.kernel_w;
}

// Bytes of scratch: the offsets of the runs, then the band.
static inline int64_t offsets_bytes_f32(const ConvF32Params& p) {
  return (window_runs_f32(p) * 8 + 63) / 64 * 64;
}
static inline int64_t conv_scratch_f32(const ConvF32Params& p) {
  if (windows_inside_f32(p)) return offsets_bytes_f32(p);
  const int64_t floats = band_rows_f32(p, band_height_f32(p)) * band_pitch_f32(p) + 16;
  return offsets_bytes_f32(p) + floats * static_cast<int64_t>(sizeof(float));
}

// Tiles of 4x4 outputs, and the scratch of as many as a worker transforms at a time: rows of
// channels for each of 36 points. Sixteen floats between points keep them in different sets of the
// L1 cache.
struct WinogradSizesF32 {
  int64_t down;
  int64_t across;
  int64_t block;
  int64_t input_row;
  int64_t output_row;
  int64_t input_point;
  int64_t output_point;
};
static inline WinogradSizesF32 winograd_sizes_f32(const WinogradF32Params& p) {
  WinogradSizesF32 sizes;
  sizes.down = (p.out_height + 3) / 4;
  sizes.across = (p.out_width + 3) / 4;
  sizes.input_row = (p.channels + 15) / 16 * 16;
  sizes.output_row = (p.outputs + kPanelF32 - 1) / kPanelF32 * kPanelF32;
  // 384 KiB, but rows enough for every read of the weights.
  const int64_t fitting = 98304 / 36 / (sizes.input_row + sizes.output_row) / 6 * 6;
  sizes.block = fitting < 24 ? 24 : fitting > 96 ? 96 : fitting;
  sizes.input_point = sizes.block * sizes.input_row + 16;
  sizes.output_point = sizes.block * sizes.output_row + 16;
  return sizes;
}
static inline int64_t winograd_scratch_f32(const WinogradF32Params& p) {
  const WinogradSizesF32 sizes = winograd_sizes_f32(p);
  const int64_t copied = 36 * static_cast<int64_t>(p.channels) + 16;
  const int64_t floats = 36 * (sizes.input_point + sizes.output_point) + copied;
  return floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace linnet
