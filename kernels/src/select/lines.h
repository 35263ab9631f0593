// Elements of one line of a tensor: ordered, accumulated, searched.
#pragma once

#include "select/ranked.h"

namespace linnet {
namespace LINNET_ISA {

// Calls work(offset of the first element) for this thread's lines; elements are `inner` apart.
template <class Work>
static void for_lines(const Lines& lines, const Worker& w, Work work) {
  const Span part = split(lines.outer * lines.inner, w);
  for (int64_t i = part.begin; i < part.end; ++i) {
    work(i, i / lines.inner * lines.length * lines.inner + i % lines.inner);
  }
}

static void put_place(void* y, int64_t at, int64_t place, bool wide) {
  if (wide) {
    static_cast<int64_t*>(y)[at] = place;
  } else {
    static_cast<int32_t*>(y)[at] = (int32_t)place;
  }
}

template <class T>
static void top_of_lines(const TopKParams& p, const Worker& w) {
  const int64_t k = p.k, step = p.lines.inner;
  if (k == 0) return;
  const uint64_t turn = p.largest ? ~(uint64_t)0 : 0;
  Ranked* heap = static_cast<Ranked*>(w.scratch);
  for_lines(p.lines, w, [&](int64_t line, int64_t offset) {
    const T* x = static_cast<const T*>(p.x) + offset;
    for (int64_t i = 0; i < k; ++i) heap[i] = {key_of(x[i * step]) ^ turn, i};
    for (int64_t i = k / 2 - 1; i >= 0; --i) sink(heap, i, k);
    for (int64_t i = k; i < p.lines.length; ++i) {
      const uint64_t key = key_of(x[i * step]) ^ turn;
      if (key >= heap[0].key) continue;
      heap[0] = {key, i};
      sink(heap, 0, k);
    }
    const int64_t target = line / step * k * step + line % step;
    for (int64_t i = k - 1; i >= 0; --i) {
      const int64_t at = target + i * step;
      static_cast<T*>(p.values)[at] = x[heap[0].place * step];
      put_place(p.places, at, heap[0].place, p.wide);
      heap[0] = heap[i];
      sink(heap, 0, i);
    }
  });
}

template <class T, class Wide>
static void cumulate_lines(const CumulateParams& p, const Worker& w) {
  const int64_t length = p.lines.length;
  const int64_t step = p.reverse ? -p.lines.inner : p.lines.inner;
  for_lines(p.lines, w, [&](int64_t, int64_t offset) {
    const int64_t start = offset + (p.reverse ? (length - 1) * p.lines.inner : 0);
    const T* x = static_cast<const T*>(p.x) + start;
    T* y = static_cast<T*>(p.y) + start;
    Wide total = p.product ? 1 : 0;
    for (int64_t i = 0; i < length; ++i) {
      const Wide item = (Wide)x[i * step];
      if (p.exclusive) y[i * step] = (T)total;
      total = p.product ? total * item : total + item;
      if (!p.exclusive) y[i * step] = (T)total;
    }
  });
}

template <class T>
static void arg_of_lines(const ArgLinesParams& p, const Worker& w) {
  const int64_t step = p.lines.inner;
  for_lines(p.lines, w, [&](int64_t line, int64_t offset) {
    const T* x = static_cast<const T*>(p.x) + offset;
    T best = x[0];
    int64_t place = 0;
    for (int64_t i = 1; i < p.lines.length; ++i) {
      const T item = x[i * step];
      const bool beats = p.largest ? item > best : item < best;
      const bool ends = item != item && best == best;
      const bool ties = p.last && (item == best || (item != item && best != best));
      if ((beats && best == best) || ends || ties) {
        best = item;
        place = i;
      }
    }
    put_place(p.y, line, place, p.wide);
  });
}

template <class T>
LINNET_INLINE int64_t folded(Fold fold, int64_t a, T b) {
  switch (fold) {
    case Fold::sum:
      return (int64_t)((uint64_t)a + (uint64_t)(int64_t)b);
    case Fold::product:
      return (int64_t)((uint64_t)a * (uint64_t)(int64_t)b);
    case Fold::max:
      return a < b ? b : a;
    default:
      return b < a ? b : a;
  }
}

template <class T, Fold fold>
static void reduce_lines(const ReduceWholeParams& p, const Worker& w) {
  const Span part = split(p.outer * p.middle * p.inner, w);
  const int64_t row = p.second * p.inner;
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t inner = at % p.inner, line = at / p.inner;
    const T* x = static_cast<const T*>(p.x) + line / p.middle * p.first * p.middle * row +
                 line % p.middle * row + inner;
    int64_t total = fold == Fold::sum ? 0 : fold == Fold::product ? 1 : x[0];
    for (int64_t f = 0; f < p.first; ++f, x += p.middle * row) {
      for (int64_t s = 0; s < p.second; ++s) total = folded(fold, total, x[s * p.inner]);
    }
    static_cast<T*>(p.y)[at] = (T)(p.mean ? total / (p.first * p.second) : total);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
