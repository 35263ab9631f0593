// Walks a broadcast in runs of the last dimension, shared evenly by the threads.
#pragma once

#include "elementwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// Position of one output element: its index per dimension and every operand's offset.
struct Cursor {
  int64_t index[kMaxDims];
  int64_t offset[kMaxOperands];
};

static Cursor cursor_at(const Broadcast& shape, int64_t position) {
  Cursor cursor = {};
  for (int d = shape.dims - 1; d >= 0; --d) {
    cursor.index[d] = position % shape.size[d];
    position /= shape.size[d];
    for (int k = 0; k < shape.operands; ++k) {
      cursor.offset[k] += cursor.index[d] * shape.stride[k][d];
    }
  }
  return cursor;
}

static void advance(const Broadcast& shape, Cursor& cursor, int64_t count) {
  int d = shape.dims - 1;
  cursor.index[d] += count;
  for (int k = 0; k < shape.operands; ++k) cursor.offset[k] += count * shape.stride[k][d];
  for (; d > 0 && cursor.index[d] == shape.size[d]; --d) {
    cursor.index[d] = 0;
    ++cursor.index[d - 1];
    for (int k = 0; k < shape.operands; ++k) {
      cursor.offset[k] += shape.stride[k][d - 1] - shape.size[d] * shape.stride[k][d];
    }
  }
}

// Calls run for the whole runs up to the end of the dimension before the last, but no more than
// `most` elements; returns how many elements they were.
template <class Run>
LINNET_INLINE int64_t whole_runs(const Broadcast& shape, Cursor& cursor, int64_t most, int64_t at,
                                 const Run& run) {
  const int last = shape.dims - 1, before = last - 1;
  const int64_t length = shape.size[last], fitting = most / length;
  const int64_t rest = shape.size[before] - cursor.index[before];
  // The last one is left to what turns to the dimensions before.
  const int64_t count = (fitting < rest ? fitting : rest) - 1;
  if (count <= 0) return 0;
  int64_t offset[kMaxOperands];
  for (int k = 0; k < kMaxOperands; ++k) offset[k] = cursor.offset[k];
  for (int64_t i = 0; i < count; ++i) {
    run(at + i * length, offset, length);
    for (int k = 0; k < kMaxOperands; ++k) offset[k] += shape.stride[k][before];
  }
  for (int k = 0; k < kMaxOperands; ++k) cursor.offset[k] = offset[k];
  cursor.index[before] += count;
  return count * length;
}

// Calls run(output offset, operand offsets, length) for each run of this thread's share.
template <class Run>
static void for_runs(const Broadcast& shape, const Worker& worker, Run run) {
  const Span span = split(shape.count, worker, 64);
  if (span.begin >= span.end) return;
  const int last = shape.dims - 1;
  Cursor cursor = cursor_at(shape, span.begin);
  for (int64_t at = span.begin; at < span.end;) {
    const int64_t left = span.end - at;
    const int64_t row = shape.size[last] - cursor.index[last];
    const int64_t length = row < left ? row : left;
    run(at, cursor.offset, length);
    at += length;
    advance(shape, cursor, length);
    if (last > 0 && cursor.index[last] == 0)
      at += whole_runs(shape, cursor, span.end - at, at, run);
  }
}

// Operands of a run: one that moves with the output, or one that repeats a single element.
template <bool kMoves>
struct FloatRun {
  const float* p;
  F repeated;
  explicit FloatRun(const float* from) : p(from), repeated(splat_f(*from)) {}
  F load(int64_t i) const { return kMoves ? load_f(p + i) : repeated; }
  F load(int64_t i, int n) const { return kMoves ? load_f(p + i, n) : repeated; }
};

template <bool kMoves>
struct ByteRun {
  const int8_t* p;
  F zero;
  F repeated;
  ByteRun(const int8_t* from, int32_t zero_point)
      : p(from), zero(to_f(splat_i(zero_point))), repeated(to_f(splat_i(*from)) - zero) {}
  F load(int64_t i) const { return kMoves ? to_f(load_s8(p + i)) - zero : repeated; }
  F load(int64_t i, int n) const { return kMoves ? to_f(load_s8(p + i, n)) - zero : repeated; }
};

}  // namespace LINNET_ISA
}  // namespace linnet
