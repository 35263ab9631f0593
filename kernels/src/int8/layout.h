// Sizes that packing, binding and kernels agree on.
#pragma once

#include "int8/params.h"

namespace linnet {

constexpr int kPanel = 16;
constexpr int kMaxBlock = 96;  // activation rows copied at a time

struct LayoutS8 {
  int group;    // k bytes per lane
  int shift;    // added to activations
  int element;  // bytes per stored activation
};

// What an ISA multiplies: pairs of 16-bit numbers (words), four u8 * s8 (bytes), four s8 * s8
// (quads), eight s8 * s8 of two rows and two channels (eights), or 16 s8 * s8 that it adds up in 16
// bits first (sixteens).
enum class ProductS8 { words, bytes, quads, eights, sixteens };

constexpr LayoutS8 layout_s8(ProductS8 product) {
  return product == ProductS8::words    ? LayoutS8{2, 0, 2}
         : product == ProductS8::bytes  ? LayoutS8{4, 128, 1}
         : product == ProductS8::quads  ? LayoutS8{4, 0, 1}
         : product == ProductS8::eights ? LayoutS8{8, 0, 1}
                                        : LayoutS8{16, 0, 1};
}

constexpr int64_t padded(int64_t size, int64_t step) { return (size + step - 1) / step * step; }

// Rows 4 KiB apart would share one set of the first-level cache.
constexpr int64_t spread_apart(int64_t bytes) {
  return bytes % 1024 == 0 && bytes > 0 ? bytes + 64 : bytes;
}

// Bytes from one copied row of activations to the next.
constexpr int64_t row_bytes(int64_t depth, const LayoutS8& layout) {
  return spread_apart(padded(depth, layout.group) * layout.element);
}

// Lanes' worth of k in a row.
constexpr int64_t lane_steps(int64_t segments, int64_t segment, const LayoutS8& layout) {
  return segments * (padded(segment, layout.group) / layout.group);
}

// Whether the last lane's worth of a segment is at most half full.
constexpr bool ends_in_half(int64_t segment, const LayoutS8& layout) {
  return (segment + layout.group - 1) % layout.group < layout.group / 2;
}

// Bytes of the offsets of each lane's worth, which scratch starts with.
constexpr int64_t offset_bytes(int64_t steps) {
  return padded(steps * static_cast<int64_t>(sizeof(int32_t)), 64);
}

// Bytes of one panel of packed weights.
constexpr int64_t panel_bytes(int64_t segments, int64_t segment, const LayoutS8& layout) {
  return lane_steps(segments, segment, layout) * layout.group * kPanel;
}

// Channels whose weights are widened to 16 bits at a time where that pays, and the bytes of them.
constexpr int kWidenedChannels = 32;
constexpr int64_t widened_bytes(int64_t steps) {
  return steps * kWidenedChannels * 2 * static_cast<int64_t>(sizeof(int16_t));
}

// Pixels across a band that `columns` output columns read.
template <class T>
constexpr int64_t band_width(const ConvParams<T>& p, int64_t columns) {
  return (columns - 1) * p.stride_w + (p.kernel_w - 1) * static_cast<int64_t>(p.dilation_w) + 1;
}

// Input rows that `rows` output rows read.
template <class T>
constexpr int64_t band_height(const ConvParams<T>& p, int64_t rows) {
  return (rows - 1) * p.stride_h + (p.kernel_h - 1) * static_cast<int64_t>(p.dilation_h) + 1;
}

// Bytes from one row of a band to the next.
template <class T>
constexpr int64_t band_step(const ConvParams<T>& p, const LayoutS8& layout) {
  const int64_t pixel = static_cast<int64_t>(p.channels) * p.groups;
  return spread_apart(padded(band_width(p, p.band_cols) * pixel * layout.element, 4));
}

}  // namespace linnet
