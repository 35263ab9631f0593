// What every kernel sees: the worker that runs it and how to split work. Free of std containers,
// because ISA units include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet {

struct Span {
  int64_t begin;
  int64_t end;
};

// One thread's view of a running step. `scratch` is private to the thread, 64-byte aligned and at
// least as large as the step declared. A kernel that meets bad data (an index out of range) stores
// a non-zero code to `*error`; the run then stops after this step and raises. With `threads` 0 the
// worker's share of the output are the elements `part`.
struct Worker {
  int thread;
  int threads;
  void* scratch;
  int* error;
  Span part = {0, 0};
};

using KernelFn = void (*)(const void* params, const Worker& worker) noexcept;

// This thread's contiguous part of [0, total), in multiples of `grain` (but for the last part).
static inline Span split(int64_t total, const Worker& worker, int64_t grain = 1) {
  if (worker.threads == 1) return {0, total};
  if (worker.threads == 0) return worker.part;
  const int64_t units = (total + grain - 1) / grain;
  const int64_t begin = units * worker.thread / worker.threads * grain;
  const int64_t end = units * (worker.thread + 1) / worker.threads * grain;
  return {begin < total ? begin : total, end < total ? end : total};
}

// Kernels that go on with what another one makes, element by element and in place, while it is in
// a cache. Whoever has such `tails` calls finish for each piece of the output, once and when
// nothing writes there any more.
struct Tails {
  static constexpr int kMost = 2;
  struct Tail {
    KernelFn function;
    const void* params;
  };
  Tail tails[kMost];
  int count;
};

static inline void finish(const Tails& tails, int64_t begin, int64_t end) {
  for (int i = 0; i < tails.count; ++i) {
    tails.tails[i].function(tails.tails[i].params, Worker{0, 0, nullptr, nullptr, {begin, end}});
  }
}

// Elements [begin, begin + width) of each of `rows` rows that are `row` elements apart.
static inline void finish_rows(const Tails& tails, int64_t begin, int64_t width, int64_t rows,
                               int64_t row) {
  if (width == row) return finish(tails, begin, begin + rows * row);
  for (int64_t i = 0; i < rows && tails.count > 0; ++i, begin += row) {
    finish(tails, begin, begin + width);
  }
}

}  // namespace linnet
