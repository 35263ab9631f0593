// Convolutions: products whose rows are windows of the input, read in place.
#pragma once

#include "float/fold.h"
#include "float/product.h"
#include "float/windows.h"

namespace linnet {
namespace LINNET_ISA {

// Output pixels [begin, end) of an image, all of them covered by `band`.
struct PixelsF32 {
  int64_t image;
  int64_t begin;
  int64_t end;
  int64_t first_row;  // the output row that band.first belongs to
};

struct ConvWorkF32 {
  const ConvF32Params* p;
  ptrdiff_t* offsets;
  float* copy;     // room for a band
  int64_t length;  // of a run
  bool flat;       // output pixels are evenly spaced
};

static ConvWorkF32 conv_work(const ConvF32Params& p, void* scratch) {
  ConvWorkF32 work;
  work.p = &p;
  work.offsets = static_cast<ptrdiff_t*>(scratch);
  work.copy = reinterpret_cast<float*>(static_cast<char*>(scratch) + offsets_bytes_f32(p));
  work.flat = p.y_row == p.out_width * p.y_pixel && p.y_image == p.out_height * p.y_row;
  const int64_t channels = static_cast<int64_t>(p.groups) * p.depth;
  const ptrdiff_t pitch = windows_inside_f32(p) ? p.width * channels : band_pitch_f32(p);
  const bool whole = has_long_runs_f32(p);
  work.length = whole ? static_cast<int64_t>(p.kernel_w) * p.depth : p.depth;
  ptrdiff_t* next = work.offsets;
  for (int32_t i = 0; i < p.kernel_h; ++i) {
    for (int32_t j = 0; j < (whole ? 1 : p.kernel_w); ++j) {
      *next++ = i * p.dilation_h * pitch + j * p.dilation_w * channels;
    }
  }
  return work;
}

// Calls run(tile, rows) for strips of tiles; tile.c and tile.rows are set.
template <class Run>
LINNET_INLINE void conv_strips(const ConvWorkF32& work, const BandF32& band,
                               const PixelsF32& pixels, TileF32& t, float* y, int64_t group_depth,
                               const Run& run) {
  const ConvF32Params& p = *work.p;
  BandF32 from = band;
  from.first += group_depth;
  int64_t row = pixels.begin / p.out_width, column = pixels.begin % p.out_width;
  for (int64_t at = pixels.begin; at < pixels.end;) {
    int64_t left = pixels.end - at;
    if (!work.flat && left > p.out_width - column) left = p.out_width - column;
    const int count = static_cast<int>(left < kStripRows ? left : kStripRows);
    place_rows(from, row - pixels.first_row, column, p.out_width, count, t.rows);
    t.c = y + row * p.y_row + column * p.y_pixel;
    run(t, count);
    at += count;
    column += count;
    while (column >= p.out_width) {
      column -= p.out_width;
      ++row;
    }
  }
}

// Columns [begin, end) of one group, from pixels of a band.
static void conv_columns(const ConvWorkF32& work, const BandF32& band, const PixelsF32& pixels,
                         int64_t group, int64_t begin, int64_t end) {
  const ConvF32Params& p = *work.p;
  const int64_t runs = window_runs_f32(p), depth = runs * work.length;
  const int64_t padded = (p.outputs + kPanelF32 - 1) / kPanelF32 * kPanelF32;
  float* y = p.y + pixels.image * p.y_image + group * p.outputs;
  const float* bias = p.bias != nullptr ? p.bias + group * padded : nullptr;
  TileF32 t;
  t.length = work.length;
  t.ldc = p.y_pixel;
  t.low = p.low;
  t.high = p.high;
  if (p.fold > 1) {
    t.offsets = work.offsets;
    t.runs = runs;
    t.b = p.w + group * runs * ((work.length + p.fold - 1) / p.fold) * kLanes;
    t.bias = bias;
    t.columns = p.outputs;
    conv_strips(work, band, pixels, t, y, group * p.depth,
                [&](const TileF32& tile, int rows) { run_fold(p.fold, rows, tile); });
    return;
  }
  const float* b = p.w + group * padded * depth;
  const int64_t block = depth <= 2 * kDepthBlockF32    ? runs + 1
                        : work.length < kDepthBlockF32 ? kDepthBlockF32 / work.length
                                                       : 1;
  t.ldb = kPanelF32;
  t.panel = kPanelF32 * depth;
  for (int64_t column = begin; column < end;) {
    const int64_t left = end - column;
    const int vectors = next_vectors((left + kLanes - 1) / kLanes, tile_vectors(depth));
    t.columns = left < vectors * kLanes ? left : vectors * kLanes;
    t.bias = bias != nullptr ? bias + column : nullptr;
    const float* panel = b + column / kPanelF32 * t.panel + column % kPanelF32;
    const int64_t after = (column + t.columns) / kPanelF32;
    for (int64_t run = 0; run == 0 || run < runs; run += block) {
      t.offsets = work.offsets + run;
      t.runs = runs - run < block ? runs - run : block;
      t.b = panel + run * work.length * kPanelF32;
      t.next = left > t.columns ? b + after * t.panel + run * work.length * kPanelF32 : nullptr;
      t.first = run == 0;
      t.last = run + t.runs == runs;
      conv_strips(work, band, pixels, t, y + column, group * p.depth,
                  [&](const TileF32& tile, int rows) { run_strip(vectors, rows, tile); });
    }
    column += t.columns;
  }
}

// Panels [begin, end) of all groups' panels, from pixels of a band.
static void conv_panels(const ConvWorkF32& work, const BandF32& band, const PixelsF32& pixels,
                        int64_t begin, int64_t end) {
  const int64_t panels = (work.p->outputs + kPanelF32 - 1) / kPanelF32;
  for (int64_t unit = begin; unit < end;) {
    const int64_t first = unit % panels;
    const int64_t count = end - unit < panels - first ? end - unit : panels - first;
    const int64_t stop = (first + count) * kPanelF32;
    conv_columns(work, band, pixels, unit / panels, first * kPanelF32,
                 stop < work.p->outputs ? stop : work.p->outputs);
    unit += count;
  }
}

// The first output channel of one of all groups' panels.
LINNET_INLINE int64_t first_channel(const ConvF32Params& p, int64_t panel) {
  const int64_t panels = (p.outputs + kPanelF32 - 1) / kPanelF32;
  return panel / panels * p.outputs + panel % panels * kPanelF32;
}

// Output pixels [begin, end) of all images, panels [first, last) of all groups' panels.
static void conv_part(const ConvWorkF32& work, int64_t begin, int64_t end, int64_t first,
                      int64_t last) {
  const ConvF32Params& p = *work.p;
  const bool inside = windows_inside_f32(p);
  const int64_t channels = static_cast<int64_t>(p.groups) * p.depth;
  const int64_t size = static_cast<int64_t>(p.out_height) * p.out_width;
  const int64_t pixel = static_cast<int64_t>(p.groups) * p.outputs;
  const int64_t channel = first_channel(p, first), width = first_channel(p, last) - channel;
  int64_t height = inside ? p.out_height : band_height_f32(p);
  if (p.tails.count > 0) height = finished_rows_f32(height, p.out_width * width);
  BandF32 band;
  band.pixel = p.stride_w * channels;
  band.row = p.stride_h * (inside ? p.width * channels : band_pitch_f32(p));
  for (int64_t index = begin; index < end;) {
    PixelsF32 pixels;
    pixels.image = index / size;
    pixels.begin = index % size;
    pixels.first_row = pixels.begin / p.out_width;
    const int64_t rest = end - pixels.image * size;
    int64_t rows_end = pixels.first_row + height;
    if (rows_end > p.out_height) rows_end = p.out_height;
    if (rows_end * p.out_width > rest) rows_end = (rest + p.out_width - 1) / p.out_width;
    pixels.end = rows_end * p.out_width < rest ? rows_end * p.out_width : rest;
    const float* image = p.x + pixels.image * p.height * p.width * channels;
    if (inside) {
      band.first =
          image + (pixels.first_row * p.stride_h - p.top) * p.width * channels - p.left * channels;
    } else {
      copy_band(p, image, pixels.first_row, rows_end, work.copy);
      band.first = work.copy;
    }
    conv_panels(work, band, pixels, first, last);
    finish_rows(p.tails, index * pixel + channel, width, pixels.end - pixels.begin, pixel);
    index += pixels.end - pixels.begin;
  }
}

static void run_conv(const ConvF32Params& p, const Worker& worker) {
  const int64_t pixels = static_cast<int64_t>(p.batch) * p.out_height * p.out_width;
  if (pixels == 0 || p.outputs == 0) return;
  const ConvWorkF32 work = conv_work(p, worker.scratch);
  const int64_t panels = p.groups * ((p.outputs + kPanelF32 - 1) / kPanelF32);
  constexpr int64_t kGrain = tile_rows(kTileVectors);
  const int64_t units = (pixels + kGrain - 1) / kGrain;
  if (splits_columns(units, panels, worker.threads, p.outputs > pixels)) {
    const Span part = split(panels, worker);
    if (part.begin < part.end) conv_part(work, 0, pixels, part.begin, part.end);
    return;
  }
  const Span part = split(pixels, worker, kGrain);
  if (part.begin < part.end) conv_part(work, part.begin, part.end, 0, panels);
}

}  // namespace LINNET_ISA
}  // namespace linnet
