// Resizing of channels-last images.
#pragma once

#include "move/copy.h"

namespace linnet {
namespace LINNET_ISA {

template <int kRun>
static void pick_line(const uint8_t* source, const int32_t* columns, uint8_t* target,
                      int64_t count) {
  for (int64_t x = 0; x < count; ++x) {
    memcpy(target + x * kRun, source + (int64_t)columns[x] * kRun, kRun);
  }
}

static void pick_runs(const uint8_t* source, const int32_t* columns, uint8_t* target, int64_t count,
                      int64_t run) {
  switch (run) {
#define LINNET_RUN(n) \
  case n:             \
    return pick_line<n>(source, columns, target, count);
    LINNET_RUN(1)
    LINNET_RUN(2)
    LINNET_RUN(3)
    LINNET_RUN(4)
    LINNET_RUN(8)
    LINNET_RUN(12)
    LINNET_RUN(16)
    LINNET_RUN(32)
    LINNET_RUN(64)
#undef LINNET_RUN
    default:
      for (int64_t x = 0; x < count; ++x) {
        memcpy(target + x * run, source + columns[x] * run, (size_t)run);
      }
  }
}

static void resize_nearest_rows(const ResizeNearestParams& p, const Worker& w) {
  const Span part = split(p.batch * p.out_height, w);
  const int64_t pitch = p.out_width * p.run;
  int64_t before = -1;
  for (int64_t line = part.begin; line < part.end; ++line) {
    const int64_t row = line / p.out_height * p.height + p.rows[line % p.out_height];
    uint8_t* target = p.target + line * pitch;
    if (row == before) {
      memcpy(target, target - pitch, (size_t)pitch);
    } else {
      pick_runs(p.source + row * p.width * p.run, p.columns, target, p.out_width, p.run);
    }
    before = row;
  }
}

LINNET_INLINE F load_real(const float* p) { return load_f(p); }
LINNET_INLINE F load_real(const float* p, int n) { return load_f(p, n); }
LINNET_INLINE F load_real(const int8_t* p) { return to_f(load_s8(p)); }
LINNET_INLINE F load_real(const int8_t* p, int n) { return to_f(load_s8(p, n)); }
LINNET_INLINE void store_real(float* p, F x) { store_f(p, x); }
LINNET_INLINE void store_real(float* p, F x, int n) { store_f(p, x, n); }
LINNET_INLINE void store_real(int8_t* p, F x) { store_s8(p, to_i_round(x)); }
LINNET_INLINE void store_real(int8_t* p, F x, int n) { store_s8(p, to_i_round(x), n); }

// target[i] = a[i] * g + b[i] * f
template <class From, class To>
LINNET_INLINE void blend(const From* a, const From* b, float g, float f, To* target,
                         int64_t count) {
  const F g_all = splat_f(g), f_all = splat_f(f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store_real(target + i, load_real(a + i) * g_all + load_real(b + i) * f_all);
  }
  if (const int rest = (int)(count - i)) {
    store_real(target + i, load_real(a + i, rest) * g_all + load_real(b + i, rest) * f_all, rest);
  }
}

template <class T>
static void resize_linear_rows(const ResizeLinearParams& p, const Worker& w) {
  const T* source = static_cast<const T*>(p.source);
  float* mixed = static_cast<float*>(w.scratch);
  const int64_t pitch = p.width * p.channels;
  const Span part = split(p.batch * p.out_height, w);
  for (int64_t line = part.begin; line < part.end; ++line) {
    const int64_t y = line % p.out_height;
    const T* image = source + line / p.out_height * p.height * pitch;
    blend(image + p.rows.low[y] * pitch, image + p.rows.high[y] * pitch, p.rows.g[y], p.rows.f[y],
          mixed, pitch);
    T* target = static_cast<T*>(p.target) + line * p.out_width * p.channels;
    for (int64_t x = 0; x < p.out_width; ++x) {
      blend(mixed + p.columns.low[x] * p.channels, mixed + p.columns.high[x] * p.channels,
            p.columns.g[x], p.columns.f[x], target + x * p.channels, p.channels);
    }
  }
}

static void requantize_rows(const RequantizeRowsParams& p, const Worker& w) {
  const F low = splat_f((float)(-128 - p.zero_out)), high = splat_f((float)(127 - p.zero_out));
  const F scale = splat_f(p.scale);
  const I zero_in = splat_i(p.zero_in), zero_out = splat_i(p.zero_out);
  const Span part = split(p.rows, w);
  for (int64_t row = part.begin; row < part.end; ++row) {
    const int8_t* source = p.source + row * p.run;
    int8_t* target = p.target + row * p.target_stride;
    int64_t i = 0;
    for (; i + kLanes <= p.run; i += kLanes) {
      const F real = to_f(load_s8(source + i) - zero_in) * scale;
      store_s8(target + i, to_i_round(clamp_f(real, low, high)) + zero_out);
    }
    if (const int rest = (int)(p.run - i)) {
      const F real = to_f(load_s8(source + i, rest) - zero_in) * scale;
      store_s8(target + i, to_i_round(clamp_f(real, low, high)) + zero_out, rest);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
