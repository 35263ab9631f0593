// int8 depthwise convolution of any kernel, stride, dilation and channel multiplier.
#pragma once

#include "depthwise/lanes.h"
#include "depthwise/units.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct S8Reader {
  typedef int8_t Value;
  typedef LINNET_ISA::Raw Raw;
  int zero;
  Raw padding() const { return raw_of(zero, zero); }
  Raw one(int8_t value) const { return raw_of(value, zero); }
  void unit(Raw* to, const int8_t* from) const { widen_unit(to, from, zero); }
  void sixteen(Raw* to, const int8_t* from) const { widen16(to, from, zero); }
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
    for (ptrdiff_t at = 0, end = units * step; at < end; at += step, to += kUnit) {
      I unit[4];
      interleave(unit, taps, at);
      for (int j = 0; j < 4; ++j) store_i(to + j * kLanes, unit[j]);
    }
  }
}

namespace {
struct S8Kernel {
  typedef DepthwiseS8Params Params;
  typedef int8_t Value;
  typedef int32_t Prepared;
  typedef I Sum;
  LINNET_INLINE I load(const int32_t* from) { return load_i(from); }
  LINNET_INLINE I fold(I sum, I taps, I weights) { return dot(sum, taps, weights); }
  LINNET_INLINE void store(const Params& p, const I* sum, int block, int8_t* y, ptrdiff_t room) {
    const float* scale = p.scale + (ptrdiff_t)block * kUnit;
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
};
}  // namespace

// Lists what every group of weights reads, in the order of the weights.
static void list_sources(const DepthwiseS8Params& p, const DwRing<int32_t>& ring,
                         const DwSources<int32_t>& in) {
  const ptrdiff_t group = (p.planes == 1 ? p.shift : p.row_units) * (ptrdiff_t)kUnit;
  const int32_t** next = in.places;
  for (int ky = 0; ky < p.shape.kernel_h; ++ky) {
    for (int piece = 0; piece < p.pieces; ++piece) {
      for (int g = 0; g < p.groups; ++g) *next++ = ring.read[ky] + g * group;
    }
  }
}

static void dw_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const S8Reader reader = {p.zero_in};
  DwRing<int32_t> ring;
  const ptrdiff_t size = (ptrdiff_t)p.planes * p.row_units * kUnit;
  char* memory = place_ring(&ring, s, p.tiles, size, w.scratch);
  const int sources = s.kernel_h * p.pieces * p.groups;
  const DwSources<int32_t> in = {reinterpret_cast<const int32_t**>(memory), sources};
  Raw* raw = reinterpret_cast<Raw*>(memory + (sources * sizeof(void*) + 63) / 64 * 64);
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
    list_sources(p, ring, in);
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs;
    dw_blocks<S8Kernel>(p, in, kUnit, t, y);
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
