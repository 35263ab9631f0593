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

int64_t fold_f32(int64_t columns, int64_t lanes) {
  int64_t fold = lanes;
  while (fold > 1 && fold * columns > lanes) fold /= 2;
  return fold;
}

void pack_fold_f32(float* dst, const float* src, int64_t columns, int64_t runs, int64_t length,
                   int64_t fold, int64_t lanes) {
  for (int64_t run = 0; run < runs; ++run) {
    for (int64_t first = 0; first < length; first += fold) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const int64_t column = lane / fold, k = first + lane % fold;
        const bool used = column < columns && k < length;
        *dst++ = used ? src[(column * runs + run) * length + k] : 0.0f;
      }
    }
  }
}

}  // namespace linnet
