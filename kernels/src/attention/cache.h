// Appending to a cache of keys or values.
#pragma once

#include "attention/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void run_cache_append(const CacheAppendParams& p, const Worker& worker) {
  const int64_t start = p.start[0];
  if (start < 0 || start > p.capacity - p.length) {
    *worker.error = 1;
    return;
  }
  if (worker.thread == 0) {
    for (int64_t b = 0; b < p.batch; ++b) p.lengths[b] = start + p.length;
  }
  const Span mine = split(p.batch * p.heads, worker);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const float* x = p.x + unit / p.heads * p.x_at.batch + unit % p.heads * p.x_at.head;
    float* to = p.cache + (unit * p.capacity + start) * p.depth;
    for (int64_t i = 0; i < p.length; ++i, x += p.x_at.row, to += p.depth) {
      memcpy(to, x, static_cast<size_t>(p.depth) * sizeof(float));
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
