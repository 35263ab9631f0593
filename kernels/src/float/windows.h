// The windows of a convolution in place: a row of a tile is an address, and every tap lies at the
// same distance from it for all rows. Padding is made real by copying bands of input rows.
#pragma once

#include "float/tile.h"

namespace linnet {
namespace LINNET_ISA {

// Input rows that a worker reads: the image itself, or a padded copy of some of its rows.
struct BandF32 {
  const float* first;  // what output pixel (row, column 0) reads first
  ptrdiff_t row;       // floats from an output row to the next
  ptrdiff_t pixel;     // floats from an output pixel to the next
};

// Writes up to kLanes - 1 floats behind dst + count, reads as many behind src + count.
LINNET_INLINE void copy_run(float* dst, const float* src, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store_f(dst + i, load_f(src + i));
}

LINNET_INLINE void zero_run(float* dst, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) store_f(dst + i, splat_f(0.0f));
}

// Copies what output rows [begin, end) of an image read, zeros around it, to `band`.
static void copy_band(const ConvF32Params& p, const float* image, int64_t begin, int64_t end,
                      float* band) {
  const int64_t channels = static_cast<int64_t>(p.groups) * p.depth;
  const ptrdiff_t pitch = band_pitch_f32(p);
  const int64_t line = p.width * channels;
  const int64_t left = p.left > 0 ? p.left * channels : 0;
  const int64_t skipped = p.left < 0 ? -p.left * channels : 0;
  const int64_t before = left < pitch ? left : pitch;
  const int64_t there = line > skipped ? line - skipped : 0;
  const int64_t copied = there < pitch - before ? there : pitch - before;
  const int64_t rows = band_rows_f32(p, end - begin);
  int64_t y = begin * p.stride_h - p.top;
  for (int64_t i = 0; i < rows; ++i, ++y, band += pitch) {
    if (y < 0 || y >= p.height) {
      zero_run(band, pitch);
      continue;
    }
    zero_run(band, before);
    copy_run(band + before, image + y * line + skipped, copied);
    zero_run(band + before + copied, pitch - before - copied);
  }
}

// Addresses of a tile's rows: output pixels from (row, column) on.
LINNET_INLINE void place_rows(const BandF32& band, int64_t row, int64_t column, int64_t width,
                              int count, const float** rows) {
  const float* at = band.first + row * band.row + column * band.pixel;
  for (int i = 0; i < count; ++i, at += band.pixel) {
    if (column == width) {
      column = 0;
      at = band.first + ++row * band.row;
    }
    ++column;
    rows[i] = at;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
