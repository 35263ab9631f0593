// float depthwise convolution of any kernel, stride, dilation and channel multiplier. Taps are
// added in kernel order, so results do not depend on threads or tiles.
#pragma once

#include "depthwise/tiling.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct F32Reader {
  typedef float Value;
  typedef float Raw;
  LINNET_MEMBER float padding() const { return 0.0f; }
  LINNET_MEMBER float one(float value) const { return value; }
  LINNET_MEMBER void run(float* to, const float* from, int count) const {
    for (int i = 0; i < count; i += kLanes) store_f(to + i, load_f(from + i));
  }
};

// Copied rows, and where in them each tap of a kernel row lies.
struct F32Rows {
  const float* const* rows;
  const ptrdiff_t* places;
};
}  // namespace

// Vectors [kFirst, kFirst + 2) of kCount units of one block, `step` values apart.
template <int kCount>
static void units_f32(const DepthwiseF32Params& p, const F32Rows& in, ptrdiff_t at, ptrdiff_t step,
                      int block, int vector, DwOut<float> out) {
  const int taps = p.shape.kernel_h * p.shape.kernel_w;
  const float* w = p.weights + (ptrdiff_t)block * taps * kUnit + vector * kLanes;
  const float* bias = p.bias + (ptrdiff_t)block * kUnit + vector * kLanes;
  F sum[kCount][2];
  for (int j = 0; j < 2; ++j) {
    const F start = load_f(bias + j * kLanes);
    for (int x = 0; x < kCount; ++x) sum[x][j] = start;
  }
  for (int ky = 0; ky < p.shape.kernel_h; ++ky) {
    const float* row = in.rows[ky] + at + vector * kLanes;
    for (int kx = 0; kx < p.shape.kernel_w; ++kx, w += kUnit) {
      const float* values = row + in.places[kx];
      const F first = load_f(w), second = load_f(w + kLanes);
#pragma GCC unroll 8
      for (int x = 0; x < kCount; ++x) {
        sum[x][0] = fma(load_f(values + x * step), first, sum[x][0]);
        sum[x][1] = fma(load_f(values + x * step + kLanes), second, sum[x][1]);
      }
    }
  }
  const F low = splat_f(p.low), high = splat_f(p.high);
  for (int x = 0; x < kCount; ++x) {
    for (int j = 0; j < 2; ++j) {
      const ptrdiff_t place = x * out.step + (vector + j) * kLanes, room = out.room - place;
      const F value = min_f(high, max_f(low, sum[x][j]));
      if (room >= kLanes) {
        store_f(out.y + place, value);
      } else if (room > 0) {
        store_f(out.y + place, value, (int)room);
      }
    }
  }
}

constexpr int kF32AtOnce = 4;

// All units of one block in one output row.
static void block_f32(const DepthwiseF32Params& p, const F32Rows& in, int first, int units,
                      int block, DwOut<float> out) {
  const int cycle = p.tiles.cycle;
  const ptrdiff_t step = cycle * unit_step(p.shape, p.tiles);
  int count = (units - first + cycle - 1) / cycle;
  ptrdiff_t at = (ptrdiff_t)first * kUnit;
  for (; count > 0; count -= kF32AtOnce) {
    for (int vector = 0; vector < 4; vector += 2) {
      if (count >= 4) units_f32<4>(p, in, at, step, block, vector, out);
      if (count == 3) units_f32<3>(p, in, at, step, block, vector, out);
      if (count == 2) units_f32<2>(p, in, at, step, block, vector, out);
      if (count == 1) units_f32<1>(p, in, at, step, block, vector, out);
    }
    at += kF32AtOnce * step;
    out.y += kF32AtOnce * out.step;
    out.room -= kF32AtOnce * out.step;
  }
}

static void dw_f32(const DepthwiseF32Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  DwRing<float> ring;
  const ptrdiff_t pixels = p.tiles.raw_pixels * (ptrdiff_t)kUnit;
  const ptrdiff_t size = (p.tiles.flat ? s.stride_w * phase_size(s, p.tiles) : pixels) + kUnit;
  char* memory = place_ring(&ring, s, p.tiles, size, w.scratch);
  ptrdiff_t* places = reinterpret_cast<ptrdiff_t*>(memory);
  for (int kx = 0; kx < s.kernel_w; ++kx) places[kx] = tap_place(s, p.tiles, kx);
  for (ptrdiff_t i = 0; i < size; ++i) ring.padding[i] = 0.0f;
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool restart) {
    const float* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    for (int slot = 0; restart && slot < p.tiles.slots; ++slot) ring.held[slot] = -1;
    turn_ring(ring, s, p.tiles.slots, i, [&](int row, float* to) {
      copy_row(s, p.tiles, t, x + (ptrdiff_t)row * s.width * s.channels, to, F32Reader());
    });
    float* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs;
    dw_blocks(s, p.tiles, t, y, [&](int first, int block, DwOut<float> out) {
      block_f32(p, {ring.read, places}, first, t.units, block, out);
    });
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
