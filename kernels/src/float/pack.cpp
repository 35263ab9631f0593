#include "float/pack.h"

namespace linnet {

int64_t panels_f32_size(int64_t columns, int64_t depth) {
  return (columns + kPanelF32 - 1) / kPanelF32 * kPanelF32 * depth;
}

void pack_panels_f32(float* dst, const float* src, int64_t columns, int64_t depth,
                     int64_t column_stride, int64_t depth_stride) {
  for (int64_t first = 0; first < columns; first += kPanelF32) {
    const int64_t width = columns - first < kPanelF32 ? columns - first : kPanelF32;
    const float* panel = src + first * column_stride;
    for (int64_t k = 0; k < depth; ++k, dst += kPanelF32) {
      const float* row = panel + k * depth_stride;
      for (int64_t n = 0; n < width; ++n) dst[n] = row[n * column_stride];
      for (int64_t n = width; n < kPanelF32; ++n) dst[n] = 0.0f;
    }
  }
}

}  // namespace linnet
