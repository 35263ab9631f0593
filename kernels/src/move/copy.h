// Strided copies and fills over a loop nest of bytes.
#pragma once

#include "move/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A position in a loop nest: offsets of the current run in source and target.
struct Cursor {
  int64_t index[kMoveRank];
  int64_t source;
  int64_t target;
};

LINNET_INLINE int64_t axes_total(const MoveAxes& axes) {
  int64_t total = 1;
  for (int k = 0; k < axes.rank; ++k) total *= axes.size[k];
  return total;
}

LINNET_INLINE Cursor cursor_at(const MoveAxes& axes, int64_t position) {
  Cursor cursor = {};
  for (int k = axes.rank - 1; k >= 0; --k) {
    cursor.index[k] = position % axes.size[k];
    position /= axes.size[k];
    cursor.source += cursor.index[k] * axes.source_stride[k];
    cursor.target += cursor.index[k] * axes.target_stride[k];
  }
  return cursor;
}

// Moves on by `count` along axis `k`, which must not pass its end, carrying into slower axes.
LINNET_INLINE void advance(const MoveAxes& axes, Cursor& cursor, int k, int64_t count) {
  cursor.index[k] += count;
  cursor.source += count * axes.source_stride[k];
  cursor.target += count * axes.target_stride[k];
  while (cursor.index[k] == axes.size[k] && k > 0) {
    cursor.source += axes.source_stride[k - 1] - axes.size[k] * axes.source_stride[k];
    cursor.target += axes.target_stride[k - 1] - axes.size[k] * axes.target_stride[k];
    cursor.index[k] = 0;
    ++cursor.index[--k];
  }
}

template <int kRun>
static void copy_line(const uint8_t* source, int64_t source_stride, uint8_t* target,
                      int64_t target_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    memcpy(target + i * target_stride, source + i * source_stride, kRun);
  }
}

static void copy_runs(const uint8_t* source, int64_t source_stride, uint8_t* target,
                      int64_t target_stride, int64_t count, int64_t run) {
  switch (run) {
#define LINNET_RUN(n) \
  case n:             \
    return copy_line<n>(source, source_stride, target, target_stride, count);
    LINNET_RUN(1)
    LINNET_RUN(2)
    LINNET_RUN(3)
    LINNET_RUN(4)
    LINNET_RUN(6)
    LINNET_RUN(8)
    LINNET_RUN(12)
    LINNET_RUN(16)
    LINNET_RUN(24)
    LINNET_RUN(32)
    LINNET_RUN(48)
    LINNET_RUN(64)
#undef LINNET_RUN
    default:
      for (int64_t i = 0; i < count; ++i) {
        memcpy(target + i * target_stride, source + i * source_stride, (size_t)run);
      }
  }
}

static void copy_nest(const CopyParams& p, const Worker& w) {
  if (p.axes.rank == 0) {
    const Span part = split(p.run, w, 64);
    if (part.end > part.begin) {
      memcpy(p.target + part.begin, p.source + part.begin, (size_t)(part.end - part.begin));
    }
    return;
  }
  const int last = p.axes.rank - 1;
  const Span part = split(axes_total(p.axes), w);
  Cursor cursor = cursor_at(p.axes, part.begin);
  for (int64_t done = part.begin; done < part.end;) {
    const int64_t left = p.axes.size[last] - cursor.index[last];
    const int64_t count = left < part.end - done ? left : part.end - done;
    copy_runs(p.source + cursor.source, p.axes.source_stride[last], p.target + cursor.target,
              p.axes.target_stride[last], count, p.run);
    advance(p.axes, cursor, last, count);
    done += count;
  }
}

LINNET_INLINE void fill_run(uint8_t* target, int64_t run, uint64_t pattern) {
  int64_t b = 0;
  for (; b + 8 <= run; b += 8) memcpy(target + b, &pattern, 8);
  for (int64_t rest = b; rest < run; ++rest) {
    target[rest] = (uint8_t)(pattern >> (8 * (rest - b)));
  }
}

static void fill_nest(const FillParams& p, const Worker& w) {
  if (p.axes.rank == 0) {
    const Span part = split(p.run, w, 64);
    fill_run(p.target + part.begin, part.end - part.begin, p.pattern);
    return;
  }
  const Span part = split(axes_total(p.axes), w);
  Cursor cursor = cursor_at(p.axes, part.begin);
  for (int64_t done = part.begin; done < part.end; ++done) {
    fill_run(p.target + cursor.target, p.run, p.pattern);
    advance(p.axes, cursor, p.axes.rank - 1, 1);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
