// What every kernel sees: the worker that runs it and how to split work. Free of std containers,
// because ISA units include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet {

// One thread's view of a running step. `scratch` is private to the thread, 64-byte aligned and at
// least as large as the step declared. A kernel that meets bad data (an index out of range) stores
// a non-zero code to `*error`; the run then stops after this step and raises.
struct Worker {
  int thread;
  int threads;
  void* scratch;
  int* error;
};

using KernelFn = void (*)(const void* params, const Worker& worker) noexcept;

struct Span {
  int64_t begin;
  int64_t end;
};

// This thread's contiguous part of [0, total), in multiples of `grain` (but for the last part).
static inline Span split(int64_t total, const Worker& worker, int64_t grain = 1) {
  if (worker.threads == 1) return {0, total};
  const int64_t units = (total + grain - 1) / grain;
  const int64_t begin = units * worker.thread / worker.threads * grain;
  const int64_t end = units * (worker.thread + 1) / worker.threads * grain;
  return {begin < total ? begin : total, end < total ? end : total};
}

}  // namespace linnet
