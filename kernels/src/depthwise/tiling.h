// What the depthwise kernels share: tasks, copied input rows with their padding, the way through
// tasks, images and rows.
#pragma once

#include "depthwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kUnit = 4 * kLanes;

struct DwTask {
  int block;    // first block of the weights
  int channel;  // first output channel (0 where flat)
  int units;    // units to compute
  int pixel;    // first output pixel
};

static DwTask dw_task(const DepthwiseShape& s, const DepthwiseTiles& tiles, int index) {
  DwTask t = {};
  const int first = index % tiles.tiles * tiles.tile;
  int all = s.out_width;
  t.pixel = first;
  if (tiles.flat) {
    all = (s.out_width * s.outputs + kUnit - 1) / kUnit;
    t.pixel = (int)((int64_t)first * kUnit / s.outputs);
  } else {
    t.block = index / tiles.tiles;
    t.channel = t.block * kUnit;
    if (t.channel > s.outputs - kUnit) t.channel = s.outputs - kUnit;
  }
  t.units = all - first < tiles.tile ? all - first : tiles.tile;
  return t;
}

// Values from one phase of a copied row to the next.
LINNET_INLINE ptrdiff_t phase_size(const DepthwiseShape& s, const DepthwiseTiles& tiles) {
  return (ptrdiff_t)tiles.raw_pixels * s.outputs + kUnit;
}

// Where in a copied row the value of tap kx for the task's first unit lies.
LINNET_INLINE ptrdiff_t tap_place(const DepthwiseShape& s, const DepthwiseTiles& tiles, int kx) {
  const ptrdiff_t column = (ptrdiff_t)kx * s.dilation_w;
  if (!tiles.flat) return column * kUnit;
  return column % s.stride_w * phase_size(s, tiles) + column / s.stride_w * s.outputs;
}

// Values from the taps of one unit to those of the next.
LINNET_INLINE ptrdiff_t unit_step(const DepthwiseShape& s, const DepthwiseTiles& tiles) {
  return tiles.flat ? kUnit : (ptrdiff_t)kUnit * s.stride_w;
}

// A reader copies values to scratch in the form that its kernel wants:
//   Value, Raw                   stored type and copied type
//   padding()                    the copied value of real zero
//   one(value)                   a single value
//   unit(to, from)               kUnit values
//   sixteen(to, from)            sixteen values
template <class Reader>
static void fill_run(typename Reader::Raw* to, int count, const Reader& reader) {
  const typename Reader::Raw value = reader.padding();
  for (int i = 0; i < count; ++i) to[i] = value;
}

// Reads and writes up to 15 values more than `count`.
template <class Reader>
static void copy_run(typename Reader::Raw* to, const typename Reader::Value* from, ptrdiff_t count,
                     const Reader& reader) {
  ptrdiff_t i = 0;
  for (; i + kUnit <= count; i += kUnit) reader.unit(to + i, from + i);
  for (; i < count; i += 16) reader.sixteen(to + i, from + i);
}

// The same for few values, which are most often at most sixteen.
template <class Reader>
LINNET_INLINE void copy_narrow(typename Reader::Raw* to, const typename Reader::Value* from,
                               ptrdiff_t count, const Reader& reader) {
  reader.sixteen(to, from);
  for (ptrdiff_t i = 16; i < count; i += 16) reader.sixteen(to + i, from + i);
}

// Output channels [channel, channel + count) of one pixel, each input repeated `multiplier` times.
template <class Reader>
static void spread_pixel(typename Reader::Raw* to, const typename Reader::Value* pixel, int channel,
                         int count, int multiplier, const Reader& reader) {
  int input = channel / multiplier, copies = multiplier - channel % multiplier;
  for (int e = 0; e < count; ++input, copies = multiplier) {
    const typename Reader::Raw value = reader.one(pixel[input]);
    for (; copies > 0 && e < count; --copies) to[e++] = value;
  }
}

// A run of pixels to copy: `count` columns from `from` on, `step` apart; of each pixel the output
// channels [channel, channel + width). Columns outside the image become padding.
struct DwRun {
  int from, step, count, channel, width;
};

template <class Reader>
static void copy_pixels(const DepthwiseShape& s, const typename Reader::Value* row,
                        typename Reader::Raw* to, const DwRun& run, const Reader& reader) {
  const ptrdiff_t width = run.width;
  int q = 0;
  for (; q < run.count && run.from + q * run.step < 0; ++q) fill_run(to + q * width, width, reader);
  int end = q;
  if (run.from + q * run.step < s.width) end = (s.width - 1 - run.from) / run.step + 1;
  if (end > run.count) end = run.count;
  const typename Reader::Value* from = row + ((ptrdiff_t)run.from + q * run.step) * s.channels;
  const ptrdiff_t step = (ptrdiff_t)run.step * s.channels;
  if (s.multiplier != 1) {
    for (; q < end; ++q, from += step) {
      spread_pixel(to + q * width, from, run.channel, run.width, s.multiplier, reader);
    }
  } else if (run.step == 1 && width == s.channels) {
    copy_run(to + q * width, from, (end - q) * width, reader);
    q = end;
  } else if (width == kUnit) {
    from += run.channel;
    for (; q < end; ++q, from += step) reader.unit(to + q * width, from);
  } else {
    for (; q < end; ++q, from += step) copy_narrow(to + q * width, from, width, reader);
  }
  for (; q < run.count; ++q) fill_run(to + q * width, run.width, reader);
}

// Copies what a task reads of one input row.
template <class Reader>
static void copy_row(const DepthwiseShape& s, const DepthwiseTiles& tiles, const DwTask& t,
                     const typename Reader::Value* row, typename Reader::Raw* to,
                     const Reader& reader) {
  const int column = t.pixel * s.stride_w - s.left;
  const int reach = (s.kernel_w - 1) * s.dilation_w;
  if (!tiles.flat) {
    const int pixels = (t.units - 1) * s.stride_w + reach + 1;
    copy_pixels(s, row, to, {column, 1, pixels, t.channel, kUnit}, reader);
    return;
  }
  const int outputs = (t.units * kUnit + s.outputs - 1) / s.outputs;
  for (int i = 0; i < s.stride_w && i <= reach; ++i) {
    const int pixels = outputs + (reach - i) / s.stride_w;
    copy_pixels(s, row, to + i * phase_size(s, tiles),
                {column + i, s.stride_w, pixels, 0, s.outputs}, reader);
  }
}

// Input rows prepared for a task, the latest `slots` of them kept.
template <class T>
struct DwRing {
  T* padding;      // a row outside the image
  T* rows;         // `slots` prepared rows
  ptrdiff_t size;  // values per row
  const T** read;  // per kernel row, the prepared row it reads
  int* held;       // per slot, the input row it holds
};

// Lays a ring out at `memory`; returns the first aligned byte behind it.
template <class T>
static char* place_ring(DwRing<T>* ring, const DepthwiseShape& s, const DepthwiseTiles& tiles,
                        ptrdiff_t size, void* memory) {
  ring->size = size;
  ring->padding = static_cast<T*>(memory);
  ring->rows = ring->padding + size;
  ring->read = reinterpret_cast<const T**>(ring->rows + tiles.slots * size);
  ring->held = reinterpret_cast<int*>(ring->read + s.kernel_h);
  const uintptr_t end = reinterpret_cast<uintptr_t>(ring->held + tiles.slots);
  return reinterpret_cast<char*>((end + 63) & ~(uintptr_t)63);
}

// Points every kernel row of output row `i` at its prepared row; build(row, to) makes missing ones.
template <class T, class Build>
static void turn_ring(const DwRing<T>& ring, const DepthwiseShape& s, int slots, int i,
                      const Build& build) {
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = i * s.stride_h - s.top + ky * s.dilation_h;
    if (row < 0 || row >= s.height) {
      ring.read[ky] = ring.padding;
      continue;
    }
    T* place = ring.rows + row % slots * ring.size;
    if (ring.held[row % slots] != row) {
      build(row, place);
      ring.held[row % slots] = row;
    }
    ring.read[ky] = place;
  }
}

// Calls row(task, image, i, restart) for this worker's share; `restart` where the kept rows belong
// to another task or image. Whole rows are shared out, or tasks where there are few rows.
template <class Row>
static void dw_rows(const DepthwiseShape& s, const DepthwiseTiles& tiles, const Worker& w,
                    const Row& row) {
  const int tasks = tiles.flat ? tiles.tiles : tiles.tiles * tiles.blocks;
  const int64_t rows = (int64_t)s.batch * s.out_height;
  const bool by_rows = rows >= 2 * w.threads || tasks < w.threads;
  const Span part = by_rows ? split(rows, w) : Span{0, rows};
  const Span turns = by_rows ? Span{0, tasks} : split(tasks, w);
  for (int64_t task = turns.begin; task < turns.end; ++task) {
    const DwTask t = dw_task(s, tiles, (int)task);
    if (part.begin >= part.end) continue;
    int image = (int)(part.begin / s.out_height), i = (int)(part.begin % s.out_height);
    for (int64_t r = part.begin; r < part.end; ++r) {
      row(t, image, i, i == 0 || r == part.begin);
      if (++i == s.out_height) i = 0, ++image;
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
