// Sizes that packing, binding and kernels agree on.
#pragma once

#include <stdint.h>

namespace linnet {

constexpr int kPanel = 16;
constexpr int kMaxBlock = 96;  // rows gathered at a time

struct LayoutS8 {
  int group;    // k bytes per lane
  int shift;    // added to activations
  int element;  // bytes per gathered activation
};

// `dot`: the ISA multiplies bytes; otherwise it multiplies 16-bit pairs.
constexpr LayoutS8 layout_s8(bool dot) { return dot ? LayoutS8{4, 128, 1} : LayoutS8{2, 0, 2}; }

constexpr int64_t padded(int64_t size, int64_t step) { return (size + step - 1) / step * step; }

// Bytes from one gathered row to the next: rows 4 KiB apart would share one set of the cache.
constexpr int64_t row_bytes(int64_t depth, const LayoutS8& layout) {
  const int64_t bytes = padded(depth, layout.group) * layout.element;
  return bytes % 1024 == 0 && bytes > 0 ? bytes + 64 : bytes;
}

// Bytes of one panel of packed weights.
constexpr int64_t panel_bytes(int64_t depth, const LayoutS8& layout) {
  return padded(depth, layout.group) * kPanel;
}

}  // namespace linnet
