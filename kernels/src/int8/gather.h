// Gathering activations into rows of the form that the micro-tile reads.
#pragma once

#include "int8/tile.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kChunk = kLanes * kLayout.group;  // bytes taken at a time

LINNET_INLINE I gathered(const int8_t* x) {
  if constexpr (kHasDot) {
    return load_i((const int32_t*)x) ^ splat_i((int32_t)0x80808080u);
  } else {
    return load_pairs_s8(x);
  }
}

// Writes `count` activations; reads and writes may run up to a chunk beyond them.
LINNET_INLINE void copy_row(uint8_t* to, const int8_t* from, int64_t count) {
  for (int64_t i = 0; i < count; i += kChunk) {
    store_i((int32_t*)(to + i * kLayout.element), gathered(from + i));
  }
}

LINNET_INLINE void fill_row(uint8_t* to, I value, int64_t count) {
  for (int64_t i = 0; i < count; i += kChunk) store_i((int32_t*)(to + i * kLayout.element), value);
}

// Ends a row: zeros up to a whole lane, so that sums of rows need no special case.
LINNET_INLINE void end_row(uint8_t* row, int64_t depth) {
  const int64_t end = padded(depth, kLayout.group);
  for (int64_t i = depth * kLayout.element; i < end * kLayout.element; ++i) row[i] = 0;
}

LINNET_INLINE int32_t row_sum(const uint8_t* row, int64_t depth) {
  uint32_t total = 0;
  for (int64_t i = 0; i < depth; ++i) {
    if constexpr (kHasDot) {
      total += row[i];
    } else {
      int16_t x;
      memcpy(&x, row + 2 * i, 2);
      total += (uint32_t)(int32_t)x;
    }
  }
  return (int32_t)total;
}

LINNET_INLINE I stored_padding(int32_t zero) {
  if constexpr (kHasDot) {
    return splat_i((int32_t)(0x01010101u * (uint8_t)(zero + kLayout.shift)));
  } else {
    return splat_i((int32_t)(0x00010001u * (uint16_t)zero));
  }
}

// One kernel row of one window of one group: kernel_w * channels activations.
LINNET_INLINE void gather_segment(const ConvS8Params& p, uint8_t* to, const int8_t* row,
                                  int64_t column, I padding) {
  const int64_t pixel = (int64_t)p.channels * p.groups;
  const int64_t element = kLayout.element;
  if (row == nullptr) {
    fill_row(to, padding, (int64_t)p.kernel_w * p.channels);
  } else if (p.dilation_w == 1 && p.groups == 1) {
    const int64_t first = column < 0 ? (-column < p.kernel_w ? -column : p.kernel_w) : 0;
    int64_t last = p.width - column < p.kernel_w ? p.width - column : p.kernel_w;
    if (last < first) last = first;
    fill_row(to, padding, first * pixel);
    copy_row(to + first * pixel * element, row + (column + first) * pixel, (last - first) * pixel);
    fill_row(to + last * pixel * element, padding, (p.kernel_w - last) * pixel);
  } else {
    for (int64_t q = 0; q < p.kernel_w; ++q, to += p.channels * element) {
      const int64_t x = column + q * p.dilation_w;
      if (x >= 0 && x < p.width) {
        copy_row(to, row + x * pixel, p.channels);
      } else {
        fill_row(to, padding, p.channels);
      }
    }
  }
}

// The window of output pixel (image, i, j) and one group.
LINNET_INLINE void gather_window(const ConvS8Params& p, uint8_t* to, int64_t image, int64_t i,
                                 int64_t j, int group, I padding) {
  const int64_t pixel = (int64_t)p.channels * p.groups;
  const int64_t segment = (int64_t)p.kernel_w * p.channels * kLayout.element;
  const int8_t* x = p.x + image * p.height * p.width * pixel + (int64_t)group * p.channels;
  const int64_t column = j * p.stride_w - p.left;
  for (int64_t r = 0; r < p.kernel_h; ++r, to += segment) {
    const int64_t y = i * p.stride_h - p.top + r * p.dilation_h;
    const bool inside = y >= 0 && y < p.height;
    gather_segment(p, to, inside ? x + y * p.width * pixel : nullptr, column, padding);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
