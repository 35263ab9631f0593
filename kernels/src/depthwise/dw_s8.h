// int8 depthwise convolution of any kernel, stride, dilation and channel multiplier.
#pragma once

#include "depthwise/lanes.h"
#include "depthwise/tiling.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct S8Reader {
  typedef int8_t Value;
  typedef LINNET_ISA::Raw Raw;
  int zero;
  LINNET_MEMBER Raw padding() const { return raw_of(zero, zero); }
  LINNET_MEMBER Raw one(int8_t value) const { return raw_of(value, zero); }
  LINNET_MEMBER void run(Raw* to, const int8_t* from, int count) const {
    int i = 0;
    for (; i + kUnit <= count; i += kUnit) widen_unit(to + i, from + i, zero);
    for (; i < count; i += 16) widen16(to + i, from + i, zero);
  }
};
}  // namespace

// Builds the words of one input row from its copied values.
static void interleave_row(const DepthwiseS8Params& p, const DwTask& t, const Raw* raw,
                           int32_t* words) {
  const ptrdiff_t step = unit_step(p.shape, p.tiles);
  const int units = p.planes == 1 ? t.units + (p.groups - 1) * p.shift : t.units;
  for (int plane = 0; plane < p.planes; ++plane) {
    const Raw* taps[kTaps];
    for (int i = 0; i < kTaps; ++i) {
      const int kx = plane * kTaps + i;
      const bool real = kx < p.shape.kernel_w || p.planes == 1;
      taps[i] = raw + tap_place(p.shape, p.tiles, real ? kx : 0);
    }
    int32_t* to = words + (ptrdiff_t)plane * p.row_units * kUnit;
    for (int u = 0; u < units; ++u) interleave(to + (ptrdiff_t)u * kUnit, taps, u * step);
  }
}

// Rescales and stores one unit; never writes more than `room` values.
LINNET_INLINE void store_unit(const DepthwiseS8Params& p, const I* sum, const float* scale,
                              int8_t* y, ptrdiff_t room) {
  I stored[4];
  for (int j = 0; j < 4; ++j) stored[j] = to_i_round(to_f(sum[j]) * load_f(scale + j * kLanes));
  if (room >= kUnit) {
    finish(y, stored, p.zero_out, p.low, p.high);
  } else {
    int8_t last[kUnit];
    finish(last, stored, p.zero_out, p.low, p.high);
    memcpy(y, last, (size_t)room);
  }
}

// kCount units of one block, `step` words apart, from word `at` of every row on.
template <int kCount>
static void units_s8(const DepthwiseS8Params& p, const int32_t* const* rows, ptrdiff_t at,
                     ptrdiff_t step, int block, DwOut<int8_t> out) {
  const ptrdiff_t per_row = (ptrdiff_t)p.pieces * p.groups * kUnit;
  const int32_t* w = p.weights + (ptrdiff_t)block * p.shape.kernel_h * per_row;
  const ptrdiff_t group = (p.planes == 1 ? p.shift : p.row_units) * (ptrdiff_t)kUnit;
  I sum[kCount][4];
  for (int j = 0; j < 4; ++j) {
    const I start = load_i(p.bias + (ptrdiff_t)block * kUnit + j * kLanes);
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
  const float* scale = p.scale + (ptrdiff_t)block * kUnit;
#pragma GCC unroll 8
  for (int x = 0; x < kCount; ++x) {
    store_unit(p, sum[x], scale, out.y + x * out.step, out.room - x * out.step);
  }
}

constexpr int kS8AtOnce = kLanes == 16 ? 4 : 2;

// All units of one block in one output row.
static void block_s8(const DepthwiseS8Params& p, const int32_t* const* rows, int first, int units,
                     int block, DwOut<int8_t> out) {
  const ptrdiff_t step = (ptrdiff_t)p.tiles.cycle * kUnit;
  int count = (units - first + p.tiles.cycle - 1) / p.tiles.cycle;
  ptrdiff_t at = (ptrdiff_t)first * kUnit;
  for (; count >= kS8AtOnce; count -= kS8AtOnce) {
    units_s8<kS8AtOnce>(p, rows, at, step, block, out);
    at += kS8AtOnce * step;
    out.y += kS8AtOnce * out.step;
    out.room -= kS8AtOnce * out.step;
  }
  if constexpr (kS8AtOnce > 2) {
    if (count == 3) units_s8<3>(p, rows, at, step, block, out);
    if (count == 2) units_s8<2>(p, rows, at, step, block, out);
  }
  if (count == 1) units_s8<1>(p, rows, at, step, block, out);
}

static void dw_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const S8Reader reader = {p.zero_in};
  DwRing<int32_t> ring;
  const ptrdiff_t size = (ptrdiff_t)p.planes * p.row_units * kUnit;
  Raw* raw = reinterpret_cast<Raw*>(place_ring(&ring, s, p.tiles, size, w.scratch));
  Raw taps[kTaps];
  for (int k = 0; k < kTaps; ++k) taps[k] = reader.padding();
  for (ptrdiff_t i = 0; i < size; ++i) memcpy(ring.padding + i, taps, sizeof taps);
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool restart) {
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    for (int slot = 0; restart && slot < p.tiles.slots; ++slot) ring.held[slot] = -1;
    turn_ring(ring, s, p.tiles.slots, i, [&](int row, int32_t* to) {
      copy_row(s, p.tiles, t, x + (ptrdiff_t)row * s.width * s.channels, raw, reader);
      interleave_row(p, t, raw, to);
    });
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs;
    dw_blocks(s, p.tiles, t, y, [&](int first, int block, DwOut<int8_t> out) {
      block_s8(p, ring.read, first, t.units, block, out);
    });
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
