// Rotary position embedding.
#pragma once

#include "linear/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void rotate_neighbors(const float* cos, const float* sin, const float* x, float* y,
                             int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    y[2 * i] = a * cos[i] - b * sin[i];
    y[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

static void rotate_halves(const float* cos, const float* sin, const float* x, float* y,
                          int64_t half) {
  for (int64_t i = 0; i < half; i += kLanes) {
    const int lanes = static_cast<int>(half - i < kLanes ? half - i : kLanes);
    const F c = load_f(cos + i, lanes), s = load_f(sin + i, lanes);
    const F a = load_f(x + i, lanes), b = load_f(x + half + i, lanes);
    store_f(y + i, a * c - b * s, lanes);
    store_f(y + half + i, b * c + a * s, lanes);
  }
}

static void rotate_row(const RotaryParams& p, const float* x, float* y, int64_t position) {
  const float* cos = p.cos + position * p.half;
  const float* sin = p.sin + position * p.half;
  p.interleaved ? rotate_neighbors(cos, sin, x, y, p.half) : rotate_halves(cos, sin, x, y, p.half);
  const int64_t turned = 2 * p.half;
  memcpy(y + turned, x + turned, static_cast<size_t>(p.depth - turned) * sizeof(float));
}

static void run_rotary(const RotaryParams& p, const Worker& worker) {
  for (int64_t i = 0; i < p.starts; ++i) {
    if (p.start[i] < 0 || p.start[i] > p.positions - p.length) {
      *worker.error = 1;
      return;
    }
  }
  const Span mine = split(p.rows, worker);
  for (int64_t r = mine.begin; r < mine.end; ++r) {
    const int64_t start = p.start[p.starts == 1 ? 0 : r * p.starts / p.rows];
    const int64_t at = p.heads_last ? r / p.heads % p.length : r % p.length;
    rotate_row(p, p.x + r * p.depth, p.y + r * p.depth, start + at);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
