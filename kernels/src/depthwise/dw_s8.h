// int8 depthwise convolution of any kernel, stride, dilation and channel multiplier.
#pragma once

#include "depthwise/words_s8.h"

namespace linnet {
namespace LINNET_ISA {

// Scratch of one thread, in this order; sizes are those of scratch_s8 in plan.cpp.
struct DwScratch {
  int32_t* padding;  // words of a row outside the image
  int32_t* words;    // `slots` rows
  Raw* raw;
  const int32_t** rows;  // per kernel row, the words it reads
  int* held;             // per slot, the input row it holds
};

LINNET_INLINE ptrdiff_t row_words(const DepthwiseS8Params& p) {
  return (ptrdiff_t)p.planes * p.row_units * kUnit;
}

static DwScratch dw_scratch(const DepthwiseS8Params& p, void* memory) {
  DwScratch s;
  const ptrdiff_t row = row_words(p);
  s.padding = static_cast<int32_t*>(memory);
  s.words = s.padding + row;
  s.rows = reinterpret_cast<const int32_t**>(s.words + p.slots * row);
  s.held = reinterpret_cast<int*>(s.rows + p.shape.kernel_h);
  uintptr_t end = reinterpret_cast<uintptr_t>(s.held + p.slots);
  s.raw = reinterpret_cast<Raw*>((end + 63) & ~(uintptr_t)63);
  for (ptrdiff_t i = 0; i < row; ++i) {
    Raw taps[kTaps];
    for (int k = 0; k < kTaps; ++k) taps[k] = raw_of(p.zero_in, p.zero_in);
    memcpy(s.padding + i, taps, sizeof taps);
  }
  return s;
}

struct DwOut {
  int8_t* y;
  ptrdiff_t step;   // bytes from one unit of this block to the next
  ptrdiff_t bytes;  // bytes that may be written from y on
};

// kCount units of one block, `step` words apart, from word `at` of every row on.
template <int kCount>
static void dw_units(const DepthwiseS8Params& p, const int32_t* const* rows, ptrdiff_t at,
                     ptrdiff_t step, int block, DwOut out) {
  const int32_t* bias = p.bias + (ptrdiff_t)block * kUnit;
  const float* scale = p.scale + (ptrdiff_t)block * kUnit;
  const ptrdiff_t per_row = (ptrdiff_t)p.pieces * p.groups * kUnit;
  const int32_t* w = p.weights + (ptrdiff_t)block * p.shape.kernel_h * per_row;
  const ptrdiff_t group = (p.planes == 1 ? p.shift : p.row_units) * (ptrdiff_t)kUnit;
  I sum[kCount][4];
  for (int j = 0; j < 4; ++j) {
    const I start = load_i(bias + j * kLanes);
    for (int x = 0; x < kCount; ++x) sum[x][j] = start;
  }
  for (int ky = 0; ky < p.shape.kernel_h; ++ky) {
    for (int piece = 0; piece < p.pieces; ++piece) {
      const int32_t* words = rows[ky] + at;
      for (int g = 0; g < p.groups; ++g, words += group, w += kUnit) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          const I weight = load_i(w + j * kLanes);
#pragma GCC unroll 8
          for (int x = 0; x < kCount; ++x) {
            sum[x][j] = dot(sum[x][j], load_i(words + x * step + j * kLanes), weight);
          }
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int x = 0; x < kCount; ++x) {
    I stored[4];
    for (int j = 0; j < 4; ++j) {
      stored[j] = to_i_round(to_f(sum[x][j]) * load_f(scale + j * kLanes));
    }
    const ptrdiff_t left = out.bytes - x * out.step;
    if (left >= kUnit) {
      finish(out.y + x * out.step, stored, p.zero_out, p.low, p.high);
    } else {
      int8_t last[kUnit];
      finish(last, stored, p.zero_out, p.low, p.high);
      memcpy(out.y + x * out.step, last, (size_t)left);
    }
  }
}

constexpr int kUnitsAtOnce = kLanes == 16 ? 4 : 2;

// All units of one block in one output row.
static void dw_block(const DepthwiseS8Params& p, const int32_t* const* rows, int first, int units,
                     int block, DwOut out) {
  const ptrdiff_t step = (ptrdiff_t)p.cycle * kUnit;
  int count = (units - first + p.cycle - 1) / p.cycle;
  ptrdiff_t at = (ptrdiff_t)first * kUnit;
  for (; count >= kUnitsAtOnce; count -= kUnitsAtOnce) {
    dw_units<kUnitsAtOnce>(p, rows, at, step, block, out);
    at += kUnitsAtOnce * step;
    out.y += kUnitsAtOnce * out.step;
    out.bytes -= kUnitsAtOnce * out.step;
  }
  if constexpr (kUnitsAtOnce > 2) {
    if (count == 3) dw_units<3>(p, rows, at, step, block, out);
    if (count == 2) dw_units<2>(p, rows, at, step, block, out);
  }
  if (count == 1) dw_units<1>(p, rows, at, step, block, out);
}

// Points every kernel row of output row `i` at its words, building those not yet held.
static void dw_rows(const DepthwiseS8Params& p, const DwTask& t, const DwScratch& scratch,
                    const int8_t* image, int i) {
  const DepthwiseShape& s = p.shape;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = i * s.stride_h - s.top + ky * s.dilation_h;
    if (row < 0 || row >= s.height) {
      scratch.rows[ky] = scratch.padding;
      continue;
    }
    int32_t* words = scratch.words + row % p.slots * row_words(p);
    if (scratch.held[row % p.slots] != row) {
      word_row(p, t, image + (ptrdiff_t)row * s.width * s.channels, scratch.raw, words);
      scratch.held[row % p.slots] = row;
    }
    scratch.rows[ky] = words;
  }
}

// Output rows [begin, end) of one image and task.
static void dw_band(const DepthwiseS8Params& p, const DwTask& t, const DwScratch& scratch,
                    int image, int begin, int end) {
  const DepthwiseShape& s = p.shape;
  const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
  const ptrdiff_t row_bytes = (ptrdiff_t)s.out_width * s.outputs;
  for (int i = 0; i < p.slots; ++i) scratch.held[i] = -1;
  for (int i = begin; i < end; ++i) {
    dw_rows(p, t, scratch, x, i);
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * row_bytes;
    if (!p.flat) {
      const ptrdiff_t place = (ptrdiff_t)t.pixel * s.outputs + t.channel;
      dw_block(p, scratch.rows, 0, t.units, t.block, {y + place, s.outputs, row_bytes - place});
      continue;
    }
    for (int b = 0; b < p.cycle && b < t.units; ++b) {
      const ptrdiff_t place = t.skip + (ptrdiff_t)b * kUnit;
      dw_block(p, scratch.rows, b, t.units, b,
               {y + place, (ptrdiff_t)p.cycle * kUnit, row_bytes - place});
    }
  }
}

static DwTask dw_task(const DepthwiseS8Params& p, int index) {
  const DepthwiseShape& s = p.shape;
  DwTask t = {};
  t.first = index % p.tiles * p.tile;
  int all = s.out_width;
  if (p.flat) {
    all = (s.out_width * s.outputs + kUnit - 1) / kUnit;
    t.skip = t.first * kUnit;
    t.pixel = t.skip / s.outputs;
  } else {
    t.block = index / p.tiles;
    t.channel = t.block * kUnit;
    if (t.channel > s.outputs - kUnit) t.channel = s.outputs - kUnit;
    t.pixel = t.first;
  }
  t.units = all - t.first < p.tile ? all - t.first : p.tile;
  return t;
}

static void dw_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const DwScratch scratch = dw_scratch(p, w.scratch);
  const int tasks = p.flat ? p.tiles : p.tiles * p.blocks;
  const int64_t rows = (int64_t)s.batch * s.out_height;
  const bool by_rows = rows >= 2 * w.threads || tasks < w.threads;
  const Span part = by_rows ? split(rows, w) : Span{0, rows};
  const Span turns = by_rows ? Span{0, tasks} : split(tasks, w);
  for (int64_t task = turns.begin; task < turns.end; ++task) {
    const DwTask t = dw_task(p, (int)task);
    for (int64_t row = part.begin; row < part.end;) {
      const int image = (int)(row / s.out_height), begin = (int)(row % s.out_height);
      const int64_t rest = part.end - row;
      const int end = rest < s.out_height - begin ? begin + (int)rest : s.out_height;
      dw_band(p, t, scratch, image, begin, end);
      row += end - begin;
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
