// Appending to a cache of keys or values.
#pragma once

#include "attention/pack_s8.h"
#include "attention/stored.h"

namespace linnet {
namespace LINNET_ISA {

static void append_half(uint16_t* to, const float* x, int64_t depth) {
  int64_t i = 0;
  for (; i + kLanes <= depth; i += kLanes) store_half(to + i, load_f(x + i));
  if (i == depth) return;
  uint16_t rest[kLanes];
  store_half(rest, load_f(x + i, static_cast<int>(depth - i)));
  memcpy(to + i, rest, static_cast<size_t>(depth - i) * sizeof(uint16_t));
}

static void append_bytes(int8_t* to, float* scale, const float* x, int64_t step, int64_t rows,
                         int64_t depth) {
  int8_t bytes[kDeepestBytes + 64];
  for (int64_t first = 0; first < rows; first += kLanes) {
    const int some = static_cast<int>(rows - first < kLanes ? rows - first : kLanes);
    const Steps s = steps_of_rows(x, step, nullptr, some, depth);
    store_f(scale + first, s.step, some);
    for (int r = 0; r < some; ++r, x += step, to += depth) {
      bytes_of_row(bytes, x, nullptr, depth, s.inverse[r]);
      memcpy(to, bytes, static_cast<size_t>(depth));
    }
  }
}

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
    const int64_t row = unit * p.capacity + start;
    void* to = static_cast<char*>(p.cache) + row * p.depth * stored_bytes(p.stored);
    if (p.stored == Stored::kInt8) {
      append_bytes(static_cast<int8_t*>(to), p.scale + row, x, p.x_at.row, p.length, p.depth);
      continue;
    }
    for (int64_t i = 0; i < p.length; ++i, x += p.x_at.row) {
      if (p.stored == Stored::kFloat16) {
        append_half(static_cast<uint16_t*>(to) + i * p.depth, x, p.depth);
      } else {
        memcpy(static_cast<float*>(to) + i * p.depth, x,
               static_cast<size_t>(p.depth) * sizeof(float));
      }
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
