// Copies of runs and elements named by indices.
#pragma once

#include "move/copy.h"

namespace linnet {
namespace LINNET_ISA {

// The index at a position, counted from the front; -1 and the worker's error where it is outside.
LINNET_INLINE int64_t checked_index(const void* indices, bool wide, int64_t position,
                                    int64_t extent, const Worker& w) {
  int64_t index = wide ? static_cast<const int64_t*>(indices)[position]
                       : static_cast<const int32_t*>(indices)[position];
  if (index < 0) index += extent;
  if (index >= 0 && index < extent) return index;
  __atomic_store_n(w.error, 1, __ATOMIC_RELAXED);
  return -1;
}

// A run: the lengths of elements and of short vectors without a call.
LINNET_INLINE void copy_one(const uint8_t* source, uint8_t* target, int64_t run) {
  if (run == 4) {
    memcpy(target, source, 4);
  } else if (run == 8) {
    memcpy(target, source, 8);
  } else if (run % 16 == 0 && run <= 256) {
    for (int64_t b = 0; b < run; b += 16) memcpy(target + b, source + b, 16);
  } else {
    memcpy(target, source, (size_t)run);
  }
}

static void gather_nest(const GatherParams& p, const Worker& w) {
  const Span part = split(p.batches * p.middle * p.count, w);
  uint8_t* target = p.target + part.begin * p.run;
  for (int64_t unit = part.begin; unit < part.end;) {
    const int64_t line = unit / p.count, first = unit % p.count;
    const int64_t left = part.end - unit, rest = p.count - first;
    const int64_t end = first + (rest < left ? rest : left);
    const int64_t place = p.batched ? line / p.middle * p.count : 0;
    const uint8_t* source = p.source + line * p.extent * p.run;
    for (int64_t i = first; i < end; ++i, target += p.run) {
      const int64_t index = checked_index(p.indices, p.wide, place + i, p.extent, w);
      if (index >= 0) copy_one(source + index * p.run, target, p.run);
    }
    unit += end - first;
  }
}

// The byte offset that tuple `t` names; -1 where an index is outside.
LINNET_INLINE int64_t tuple_offset(const IndexTuplesParams& p, int64_t t, const Worker& w) {
  int64_t offset = t / p.count * p.batch_stride;
  for (int d = 0; d < p.depth; ++d) {
    const int64_t index = checked_index(p.indices, p.wide, t * p.depth + d, p.extent[d], w);
    if (index < 0) return -1;
    offset += index * p.stride[d];
  }
  return offset;
}

static void gather_tuples(const IndexTuplesParams& p, const Worker& w) {
  const Span part = split(p.batches * p.count, w);
  for (int64_t t = part.begin; t < part.end; ++t) {
    const int64_t offset = tuple_offset(p, t, w);
    if (offset >= 0) memcpy(p.target + t * p.run, p.source + offset, (size_t)p.run);
  }
}

// One thread, because equal tuples must land in order.
static void scatter_tuples(const IndexTuplesParams& p, const Worker& w) {
  if (w.thread != 0) return;
  for (int64_t t = 0; t < p.batches * p.count; ++t) {
    const int64_t offset = tuple_offset(p, t, w);
    if (offset >= 0) memcpy(p.target + offset, p.source + t * p.run, (size_t)p.run);
  }
}

template <int kElement>
static void gather_each(const GatherElementsParams& p, const Worker& w) {
  const Span part = split(axes_total(p.axes), w);
  Cursor cursor = cursor_at(p.axes, part.begin);
  for (int64_t i = part.begin; i < part.end; ++i) {
    const int64_t index = checked_index(p.indices, p.wide, i, p.extent, w);
    if (index >= 0) {
      memcpy(p.target + i * kElement, p.source + cursor.source + index * p.index_stride, kElement);
    }
    advance(p.axes, cursor, p.axes.rank - 1, 1);
  }
}

static void gather_any(const GatherElementsParams& p, const Worker& w) {
  switch (p.element) {
    case 1:
      return gather_each<1>(p, w);
    case 2:
      return gather_each<2>(p, w);
    case 4:
      return gather_each<4>(p, w);
    default:
      return gather_each<8>(p, w);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
