// float depthwise convolution of any kernel, stride, dilation and channel multiplier. Taps are
// added in kernel order, so results do not depend on threads or tiles.
#pragma once

#include "depthwise/units.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct F32Reader {
  typedef float Value;
  typedef float Raw;
  float padding() const { return 0.0f; }
  float one(float value) const { return value; }
  void unit(float* to, const float* from) const {
    for (int i = 0; i < kUnit; i += kLanes) store_f(to + i, load_f(from + i));
  }
  void sixteen(float* to, const float* from) const {
    for (int i = 0; i < 16; i += kLanes) store_f(to + i, load_f(from + i));
  }
};

struct F32Kernel {
  typedef DepthwiseF32Params Params;
  typedef float Value;
  typedef float Prepared;
  typedef F Sum;
  LINNET_INLINE F load(const float* from) { return load_f(from); }
  LINNET_INLINE F fold(F sum, F taps, F weights) { return fma(taps, weights, sum); }
  LINNET_INLINE void store(const Params& p, const F* sum, int, float* y, ptrdiff_t room) {
    const F low = splat_f(p.low), high = splat_f(p.high);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j, y += kLanes, room -= kLanes) {
      const F value = min_f(high, max_f(low, sum[j]));
      if (room >= kLanes) {
        store_f(y, value);
      } else if (room > 0) {
        store_f(y, value, (int)room);
      }
    }
  }
};
}  // namespace

static void dw_f32(const DepthwiseF32Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  DwRing<float> ring;
  const ptrdiff_t pixels = p.tiles.raw_pixels * (ptrdiff_t)kUnit;
  const ptrdiff_t size = (p.tiles.flat ? s.stride_w * phase_size(s, p.tiles) : pixels) + kUnit;
  char* memory = place_ring(&ring, s, p.tiles, size, w.scratch);
  const DwSources<float> in = {reinterpret_cast<const float**>(memory), s.kernel_h * s.kernel_w};
  for (ptrdiff_t i = 0; i < size; ++i) ring.padding[i] = 0.0f;
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool restart) {
    const float* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    for (int slot = 0; restart && slot < p.tiles.slots; ++slot) ring.held[slot] = -1;
    turn_ring(ring, s, p.tiles.slots, i, [&](int row, float* to) {
      copy_row(s, p.tiles, t, x + (ptrdiff_t)row * s.width * s.channels, to, F32Reader());
    });
    const float** next = in.places;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      for (int kx = 0; kx < s.kernel_w; ++kx) *next++ = ring.read[ky] + tap_place(s, p.tiles, kx);
    }
    float* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs;
    dw_blocks<F32Kernel>(p, in, unit_step(s, p.tiles), t, y);
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
