// Rotary position embedding.
#pragma once

#include "linear/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void rotate_row(const RotaryParams& p, const float* x, float* y, int64_t position) {
  const float* cos = p.cos + position * p.half;
  const float* sin = p.sin + position * p.half;
  const int64_t second = p.interleaved ? 1 : p.half, step = p.interleaved ? 2 : 1;
  for (int64_t i = 0; i < p.half; ++i) {
    const float a = x[i * step], b = x[i * step + second];
    y[i * step] = a * cos[i] - b * sin[i];
    y[i * step + second] = b * cos[i] + a * sin[i];
  }
  for (int64_t i = 2 * p.half; i < p.depth; ++i) y[i] = x[i];
}

static void run_rotary(const RotaryParams& p, const Worker& worker) {
  if (p.start[0] < 0 || p.start[0] > p.positions - p.length) {
    *worker.error = 1;
    return;
  }
  const Span mine = split(p.rows, worker);
  for (int64_t r = mine.begin; r < mine.end; ++r) {
    const int64_t at = p.heads_last ? r / p.heads % p.length : r % p.length;
    rotate_row(p, p.x + r * p.depth, p.y + r * p.depth, p.start[0] + at);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
