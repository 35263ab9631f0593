// Copying activations into the form that the micro-tile reads: whole windows, or bands of rows.
#pragma once

#include "int8/tile.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kChunk = 4 * kLanes / kLayout.element;  // activations copied at a time

LINNET_INLINE I converted(const Code* x) {
  if constexpr (kInPlace) {
    return load_i((const int32_t*)x);
  } else if constexpr (kByteProducts) {
    return load_i((const int32_t*)x) ^ splat_i((int32_t)0x80808080u);
  } else {
    return load_pairs_s8((const int8_t*)x);
  }
}

// Writes `count` activations; reads and writes may run up to a chunk beyond them.
LINNET_INLINE void copy_row(uint8_t* to, const Code* from, int64_t count) {
  for (int64_t i = 0; i < count; i += kChunk) {
    store_i((int32_t*)(to + i * kLayout.element), converted(from + i));
  }
}

LINNET_INLINE void fill_row(uint8_t* to, I value, int64_t count) {
  for (int64_t i = 0; i < count; i += kChunk) store_i((int32_t*)(to + i * kLayout.element), value);
}

// Ends a row: zeros up to a whole lane, so that sums of rows need no special case.
LINNET_INLINE void end_row(uint8_t* row, int64_t depth) {
  if (kInPlace) return;  // sums of rows stop at the depth, weights are zero behind it
  const int64_t end = padded(depth, kLayout.group);
  for (int64_t i = depth * kLayout.element; i < end * kLayout.element; ++i) row[i] = 0;
}

// Where each lane's worth of k lies: segment s of a window is in its row s / across, s % across
// pixels from its start.
static void lane_offsets(int32_t* offsets, int64_t segments, int64_t segment, int64_t row_step,
                         int64_t across, int64_t pixel_step) {
  const int64_t steps = lane_steps(1, segment, kLayout);
  for (int64_t s = 0; s < segments; ++s, offsets += steps) {
    const int64_t start = s / across * row_step + s % across * pixel_step;
    for (int64_t k = 0; k < steps; ++k) offsets[k] = (int32_t)(start + kLaneBytes * k);
  }
}

LINNET_INLINE I stored_padding(int32_t zero) {
  if constexpr (kLayout.element == 1) {
    return splat_i((int32_t)(0x01010101u * (uint8_t)(zero + kLayout.shift)));
  } else {
    return splat_i((int32_t)(0x00010001u * (uint16_t)zero));
  }
}

// `count` pixels of an image row from `column` on, padding where they lie outside.
LINNET_INLINE void copy_pixels(const ConvHere& p, uint8_t* to, const Code* row, int64_t column,
                               int64_t count, I padding) {
  const int64_t pixel = (int64_t)p.channels * p.groups, bytes = pixel * kLayout.element;
  const int64_t before = column < 0 ? (-column < count ? -column : count) : 0;
  int64_t end = p.width - column < count ? p.width - column : count;
  if (end < before) end = before;
  fill_row(to, padding, before * pixel);
  copy_row(to + before * bytes, row + (column + before) * pixel, (end - before) * pixel);
  fill_row(to + end * bytes, padding, (count - end) * pixel);
}

// One kernel row of one window of one group: kernel_w * channels activations; `row` is null outside
// the image.
LINNET_INLINE void copy_kernel_row(const ConvHere& p, uint8_t* to, const Code* row, int64_t column,
                                   I padding) {
  if (row == nullptr) {
    fill_row(to, padding, (int64_t)p.kernel_w * p.channels);
  } else if (p.groups == 1 && p.dilation_w == 1) {
    copy_pixels(p, to, row, column, p.kernel_w, padding);
  } else {
    const int64_t pixel = (int64_t)p.channels * p.groups;
    for (int64_t q = 0; q < p.kernel_w; ++q, to += p.channels * kLayout.element) {
      const int64_t x = column + q * p.dilation_w;
      if (x >= 0 && x < p.width) {
        copy_row(to, row + x * pixel, p.channels);
      } else {
        fill_row(to, padding, p.channels);
      }
    }
  }
}

// The window of one group whose first tap is (y, x).
static void copy_window(const ConvHere& p, uint8_t* to, const Code* image, int64_t y, int64_t x,
                        I padding) {
  const int64_t pixel = (int64_t)p.channels * p.groups;
  const int64_t step = (int64_t)p.kernel_w * p.channels * kLayout.element;
  const int64_t bottom = y + (p.kernel_h - 1) * (int64_t)p.dilation_h;
  const bool inside = y >= 0 && bottom < p.height && x >= 0 && x + p.kernel_w <= p.width;
  if (inside && p.groups == 1 && p.dilation_w == 1) {
    const Code* row = image + y * p.width * pixel;
    for (int64_t r = 0; r < p.kernel_h; ++r, row += p.dilation_h * p.width * pixel) {
      copy_row(to + r * step, row + x * pixel, p.kernel_w * pixel);
    }
    return;
  }
  for (int64_t r = 0; r < p.kernel_h; ++r, y += p.dilation_h) {
    const bool has_row = y >= 0 && y < p.height;
    copy_kernel_row(p, to + r * step, has_row ? image + y * p.width * pixel : nullptr, x, padding);
  }
}

// Whether windows of three kernel rows of at most a chunk each are copied without a look at each.
static bool three_narrow_rows(const ConvHere& p) {
  return p.kernel_h == 3 && p.groups == 1 && p.dilation_w == 1 &&
         (int64_t)p.kernel_w * p.channels <= kChunk;
}

// `count` such windows side by side, all inside the image, from the one whose first tap is `from`.
static void copy_narrow_windows(const ConvHere& p, uint8_t* to, int64_t step, const Code* from,
                                int64_t count) {
  const int64_t row = (int64_t)p.dilation_h * p.width * p.channels;
  const int64_t bytes = (int64_t)p.kernel_w * p.channels * kLayout.element;
#pragma GCC unroll 1
  for (; count > 0; --count, to += step, from += p.stride_w * p.channels) {
    const I top = converted(from), middle = converted(from + row),
            bottom = converted(from + 2 * row);
    store_i((int32_t*)to, top);
    store_i((int32_t*)(to + bytes), middle);
    store_i((int32_t*)(to + 2 * bytes), bottom);
    end_row(to, p.segment);
  }
}

// The input rows that output rows [i, i + rows) and columns [j, j + columns) read, padding
// included.
static void copy_band(const ConvHere& p, uint8_t* to, const Code* image, int64_t i, int64_t rows,
                      int64_t j, int64_t columns) {
  const int64_t pixel = (int64_t)p.channels * p.groups;
  const int64_t step = band_step(p, kLayout), width = band_width(p, columns);
  const I padding = stored_padding(p.zero);
  const int64_t first = i * p.stride_h - p.top, height = band_height(p, rows);
  for (int64_t y = first; y < first + height; ++y, to += step) {
    if (y >= 0 && y < p.height) {
      copy_pixels(p, to, image + y * p.width * pixel, j * p.stride_w - p.left, width, padding);
    } else {
      fill_row(to, padding, width * pixel);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
