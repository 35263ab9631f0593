// Elements put at places given as data, combined with what is there.
#pragma once

#include "move/gather.h"

namespace linnet {
namespace LINNET_ISA {

LINNET_INLINE float sum_of(float a, float b) { return a + b; }
LINNET_INLINE float product_of(float a, float b) { return a * b; }
// Integers wrap.
LINNET_INLINE int64_t sum_of(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
LINNET_INLINE int64_t product_of(int64_t a, int64_t b) {
  return (int64_t)((uint64_t)a * (uint64_t)b);
}
LINNET_INLINE int32_t sum_of(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
LINNET_INLINE int32_t product_of(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a * (uint32_t)b);
}

// NaN wins over every number.
template <class T>
LINNET_INLINE T combined(Combine how, T there, T value) {
  switch (how) {
    case Combine::add:
      return sum_of(there, value);
    case Combine::mul:
      return product_of(there, value);
    case Combine::min:
      return there != there || there < value ? there : value;
    default:
      return there != there || there > value ? there : value;
  }
}

template <class T>
static void combine_run(Combine how, const void* source, void* target, int64_t count) {
  const T* values = static_cast<const T*>(source);
  T* there = static_cast<T*>(target);
  for (int64_t i = 0; i < count; ++i) there[i] = combined(how, there[i], values[i]);
}

// Calls combine_run for elements of a type.
static void combine_any(NumberType type, Combine how, const void* source, void* target,
                        int64_t count) {
  switch (type) {
    case NumberType::float32_:
      return combine_run<float>(how, source, target, count);
    case NumberType::int32_:
      return combine_run<int32_t>(how, source, target, count);
    default:
      return combine_run<int64_t>(how, source, target, count);
  }
}

// One thread, because equal tuples must land in order.
static void combine_tuples(const CombineTuplesParams& p, const Worker& w) {
  if (w.thread != 0) return;
  const IndexTuplesParams& t = p.tuples;
  const int64_t count = t.run / (p.type == NumberType::int64_ ? 8 : 4);
  for (int64_t i = 0; i < t.batches * t.count; ++i) {
    const int64_t offset = tuple_offset(t, i, w);
    if (offset >= 0) {
      combine_any(p.type, p.combine, t.source + i * t.run, t.target + offset, count);
    }
  }
}

// One thread, as above.
static void scatter_each(const ScatterElementsParams& p, const Worker& w) {
  if (w.thread != 0) return;
  const uint8_t* source = static_cast<const uint8_t*>(p.source);
  uint8_t* target = static_cast<uint8_t*>(p.target);
  const int64_t total = axes_total(p.axes);
  Cursor cursor = {};
  for (int64_t i = 0; i < total; ++i, source += p.element) {
    const int64_t index = checked_index(p.indices, p.wide, i, p.extent, w);
    if (index >= 0) {
      uint8_t* there = target + cursor.target + index * p.index_stride;
      if (p.combine == Combine::replace) {
        copy_one(source, there, p.element);
      } else {
        combine_any(p.type, p.combine, source, there, 1);
      }
    }
    advance(p.axes, cursor, p.axes.rank - 1, 1);
  }
}

static void mark_lines(const OneHotParams& p, const Worker& w) {
  const uint8_t* values = static_cast<const uint8_t*>(p.values);
  uint64_t off = 0;
  for (int b = 0; b < 8; b += p.element) {
    memcpy(reinterpret_cast<uint8_t*>(&off) + b, values, (size_t)p.element);
  }
  const int64_t block = p.length * p.inner * p.element;
  const Span part = split(p.outer, w);
  for (int64_t o = part.begin; o < part.end; ++o) {
    uint8_t* y = static_cast<uint8_t*>(p.y) + o * block;
    fill_run(y, block, off);
    for (int64_t i = 0; i < p.inner; ++i) {
      const int64_t at = o * p.inner + i;
      int64_t index = p.wide ? static_cast<const int64_t*>(p.indices)[at]
                             : static_cast<const int32_t*>(p.indices)[at];
      if (index < 0) index += p.length;
      if (index < 0 || index >= p.length) continue;
      memcpy(y + (index * p.inner + i) * p.element, values + p.element, (size_t)p.element);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
