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

// `dot`: the ISA multiplies bytes; otherwise it multiplies 16-bit pairs.
constexpr LayoutS8 layout_s8(bool dot) { return dot ? LayoutS8{4, 128, 1} : LayoutS8{2, 0, 2}; }

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

// Bytes of the offsets of each lane's worth, which scratch starts with.
constexpr int64_t offset_bytes(int64_t steps) {
  return padded(steps * static_cast<int64_t>(sizeof(int32_t)), 64);
}

// Bytes of one panel of packed weights.
constexpr int64_t panel_bytes(int64_t segments, int64_t segment, const LayoutS8& layout) {
  return lane_steps(segments, segment, layout) * layout.group * kPanel;
}

// Pixels across a band that `columns` output columns read.
constexpr int64_t band_width(const ConvS8Params& p, int64_t columns) {
  return (columns - 1) * p.stride_w + (p.kernel_w - 1) * static_cast<int64_t>(p.dilation_w) + 1;
}

// Input rows that `rows` output rows read.
constexpr int64_t band_height(const ConvS8Params& p, int64_t rows) {
  return (rows - 1) * p.stride_h + (p.kernel_h - 1) * static_cast<int64_t>(p.dilation_h) + 1;
}

// Bytes from one row of a band to the next.
constexpr int64_t band_step(const ConvS8Params& p, const LayoutS8& layout) {
  const int64_t pixel = static_cast<int64_t>(p.channels) * p.groups;
  return spread_apart(padded(band_width(p, p.band_cols) * pixel * layout.element, 4));
}

}  // namespace linnet
