// Reductions of x [outer, first, middle, second, inner] over first and second. One output, or one
// vector of outputs, is folded by one thread in the order of the input.
#pragma once

#include "reduce/params.h"
#include "reduce/vectors.h"

namespace linnet {
namespace LINNET_ISA {

namespace {

struct SumF32 {
  LINNET_INLINE F fold(F held, F x) { return held + x; }
  LINNET_INLINE float fold(float held, float x) { return held + x; }
  LINNET_INLINE float start() { return 0.0f; }
};
struct MaxOfF32 {
  LINNET_INLINE F fold(F held, F x) { return fold_max(held, x); }
  LINNET_INLINE float fold(float held, float x) { return held != held || held > x ? held : x; }
  LINNET_INLINE float start() { return -__builtin_inff(); }
};
struct MinOfF32 {
  LINNET_INLINE F fold(F held, F x) { return fold_min(held, x); }
  LINNET_INLINE float fold(float held, float x) { return held != held || held < x ? held : x; }
  LINNET_INLINE float start() { return __builtin_inff(); }
};
struct MaxOfS8 {
  LINNET_INLINE B fold(B held, B x) { return max_b(held, x); }
  LINNET_INLINE int fold(int held, int x) { return held > x ? held : x; }
  LINNET_INLINE int start() { return -128; }
};
struct MinOfS8 {
  LINNET_INLINE B fold(B held, B x) { return min_b(held, x); }
  LINNET_INLINE int fold(int held, int x) { return held < x ? held : x; }
  LINNET_INLINE int start() { return 127; }
};

struct SumOfS16 {
  LINNET_INLINE I fold(I held, I x) { return held + x; }
  LINNET_INLINE int fold(int held, int x) { return held + x; }
  LINNET_INLINE int start() { return 0; }
};
struct MaxOfS16 {
  LINNET_INLINE I fold(I held, I x) { return max_i(held, x); }
  LINNET_INLINE int fold(int held, int x) { return held > x ? held : x; }
  LINNET_INLINE int start() { return -32768; }
};
struct MinOfS16 {
  LINNET_INLINE I fold(I held, I x) { return min_i(held, x); }
  LINNET_INLINE int fold(int held, int x) { return held < x ? held : x; }
  LINNET_INLINE int start() { return 32767; }
};

}  // namespace

// The values that one output folds: `first` groups, `group` apart, of `second` rows, `inner` apart.
template <class T>
struct Fibre {
  const T* x;
  int64_t first, group, second, inner;
};

// Calls body(fibre, place of its output, outputs from there to the end of the inner axis) for this
// worker's share; an output starts every `chunk` values of the inner axis.
template <class T, class Body>
LINNET_INLINE void each_fibre(const ReduceShape& s, const T* x, int64_t chunk, const Worker& w,
                              const Body& body) {
  const int64_t chunks = (s.inner + chunk - 1) / chunk;
  const Span part = split(s.outer * s.middle * chunks, w);
  for (int64_t i = part.begin; i < part.end; ++i) {
    const int64_t at = i % chunks * chunk, row = i / chunks;
    const int64_t start = row / s.middle * s.first * s.middle + row % s.middle;
    const Fibre<T> fibre = {x + start * s.second * s.inner + at, s.first,
                            s.middle * s.second * s.inner, s.second, s.inner};
    body(fibre, row * s.inner + at, s.inner - at);
  }
}

// kVectors neighboring vectors of outputs.
template <class Kind, int kVectors>
LINNET_INLINE void fold_across(const Fibre<float>& f, F* held) {
  for (int j = 0; j < kVectors; ++j) held[j] = splat_f(Kind::start());
  for (int64_t a = 0; a < f.first; ++a) {
    const float* row = f.x + a * f.group;
    for (int64_t b = 0; b < f.second; ++b, row += f.inner) {
      for (int j = 0; j < kVectors; ++j) held[j] = Kind::fold(held[j], load_f(row + j * kLanes));
    }
  }
}

// One output from contiguous rows.
template <class Kind>
LINNET_INLINE float fold_along(const Fibre<float>& f) {
  F held[4];
  for (int j = 0; j < 4; ++j) held[j] = splat_f(Kind::start());
  float rest = Kind::start();
  for (int64_t a = 0; a < f.first; ++a) {
    const float* row = f.x + a * f.group;
    int64_t b = 0;
    for (; b + 4 * kLanes <= f.second; b += 4 * kLanes) {
      for (int j = 0; j < 4; ++j) held[j] = Kind::fold(held[j], load_f(row + b + j * kLanes));
    }
    for (; b + kLanes <= f.second; b += kLanes) held[0] = Kind::fold(held[0], load_f(row + b));
    for (; b < f.second; ++b) rest = Kind::fold(rest, row[b]);
  }
  float lanes[kLanes];
  store_f(lanes, Kind::fold(Kind::fold(held[0], held[1]), Kind::fold(held[2], held[3])));
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] = Kind::fold(lanes[i], lanes[i + width]);
  }
  return Kind::fold(lanes[0], rest);
}

template <class Kind>
static void fold_f32(const ReduceF32Params& p, const Worker& w) {
  if (p.shape.inner == 1) {
    each_fibre(p.shape, p.x, 1, w, [&](const Fibre<float>& f, int64_t place, int64_t) {
      p.y[place] = fold_along<Kind>(f) / p.divisor;
    });
    return;
  }
  const F divisor = splat_f(p.divisor);
  each_fibre(p.shape, p.x, 4 * kLanes, w, [&](Fibre<float> f, int64_t place, int64_t room) {
    F held[4];
    if (room >= 4 * kLanes) {
      fold_across<Kind, 4>(f, held);
      for (int j = 0; j < 4; ++j) store_f(p.y + place + j * kLanes, held[j] / divisor);
      return;
    }
    for (; room > 0; room -= kLanes, place += kLanes, f.x += kLanes) {
      fold_across<Kind, 1>(f, held);
      put_f(p.y + place, held[0] / divisor, room);
    }
  });
}

template <class Kind>
static void fold_s8(const ReduceS8Params& p, const Worker& w) {
  if (p.shape.inner == 1) {
    each_fibre(p.shape, p.x, 1, w, [&](const Fibre<int8_t>& f, int64_t place, int64_t) {
      B held = splat_b(Kind::start());
      int best = Kind::start();
      for (int64_t a = 0; a < f.first; ++a) {
        const int8_t* row = f.x + a * f.group;
        int64_t b = 0;
        for (; b + kBytes <= f.second; b += kBytes) held = Kind::fold(held, load_b(row + b));
        for (; b < f.second; ++b) best = Kind::fold(best, row[b]);
      }
      for (int i = 0; i < kBytes; ++i) best = Kind::fold(best, held[i]);
      p.y[place] = (int8_t)best;
    });
    return;
  }
  each_fibre(p.shape, p.x, kBytes, w, [&](const Fibre<int8_t>& f, int64_t place, int64_t room) {
    B held = splat_b(Kind::start());
    for (int64_t a = 0; a < f.first; ++a) {
      const int8_t* row = f.x + a * f.group;
      for (int64_t b = 0; b < f.second; ++b) held = Kind::fold(held, load_b(row + b * f.inner));
    }
    put_b(p.y + place, held, room);
  });
}

template <class Kind>
LINNET_INLINE I fold_rows_s16(const Fibre<int16_t>& f, int64_t step, int64_t vectors) {
  I held = splat_i(Kind::start());
  for (int64_t a = 0; a < f.first; ++a) {
    const int16_t* row = f.x + a * f.group;
    for (int64_t b = 0; b < vectors; ++b) held = Kind::fold(held, load_s16(row + b * step));
  }
  return held;
}

// Rescales sums; extremes stay as they are.
template <class Kind>
static void fold_s16(const ReduceS16Params& p, const Worker& w) {
  const int32_t start = (int32_t)(-p.zero_in * p.shape.first * p.shape.second);
  const auto put = [&](int64_t place, I held, int64_t room) {
    if (p.kind == Reduction::sum) {
      held = rescale(held + splat_i(start), p.scale, p.zero_out, -32768, 32767);
    }
    put_s16(p.y + place, held, room);
  };
  if (p.shape.inner > 1) {
    each_fibre(p.shape, p.x, kLanes, w, [&](const Fibre<int16_t>& f, int64_t place, int64_t room) {
      put(place, fold_rows_s16<Kind>(f, f.inner, f.second), room);
    });
    return;
  }
  each_fibre(p.shape, p.x, 1, w, [&](const Fibre<int16_t>& f, int64_t place, int64_t) {
    const int64_t vectors = f.second / kLanes;
    const I held = fold_rows_s16<Kind>(f, kLanes, vectors);
    int best = Kind::start();
    for (int i = 0; i < kLanes; ++i) best = Kind::fold(best, held[i]);
    for (int64_t a = 0; a < f.first; ++a) {
      const int16_t* row = f.x + a * f.group;
      for (int64_t b = vectors * kLanes; b < f.second; ++b) best = Kind::fold(best, row[b]);
    }
    put(place, splat_i(best), 1);
  });
}

// Adds `count` vectors of 2 * kLanes bytes, `step` apart. 256 bytes of -128 just fit an int16.
LINNET_INLINE void add_bytes(const int8_t* x, int64_t step, int64_t count, I* low, I* high) {
  while (count > 0) {
    const int64_t turn = count < 256 ? count : 256;
    S sum = S{};
    for (int64_t i = 0; i < turn; ++i, x += step) sum += load_bytes_s(x);
    widen_add(sum, low, high);
    count -= turn;
  }
}

static void sum_s8(const ReduceS8Params& p, const Worker& w) {
  constexpr int kStep = 2 * kLanes;
  const int64_t folded = p.shape.first * p.shape.second;
  const int32_t start = (int32_t)(-p.zero_in * folded);
  if (p.shape.inner == 1) {
    each_fibre(p.shape, p.x, 1, w, [&](const Fibre<int8_t>& f, int64_t place, int64_t) {
      I low = splat_i(0), high = splat_i(0);
      int32_t sum = start;
      for (int64_t a = 0; a < f.first; ++a) {
        const int8_t* row = f.x + a * f.group;
        add_bytes(row, kStep, f.second / kStep, &low, &high);
        for (int64_t b = f.second / kStep * kStep; b < f.second; ++b) sum += row[b];
      }
      const I total = splat_i(sum + sum_i(low + high));
      store_s8(p.y + place, rescale(total, p.scale, p.zero_out, -128, 127), 1);
    });
    return;
  }
  each_fibre(p.shape, p.x, kStep, w, [&](const Fibre<int8_t>& f, int64_t place, int64_t room) {
    I low = splat_i(start), high = splat_i(start);
    for (int64_t a = 0; a < f.first; ++a) {
      add_bytes(f.x + a * f.group, f.inner, f.second, &low, &high);
    }
    put_s8(p.y + place, rescale(low, p.scale, p.zero_out, -128, 127), room);
    if (room <= kLanes) return;
    put_s8(p.y + place + kLanes, rescale(high, p.scale, p.zero_out, -128, 127), room - kLanes);
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
