// Max and average pooling. Each output row first folds its input rows into one line in scratch,
// then each output pixel folds its columns of that line.
#pragma once

#include "reduce/params.h"
#include "reduce/vectors.h"

namespace linnet {
namespace LINNET_ISA {

// Taps [begin, end) of a window lie inside [low, high) along one axis.
struct Taps {
  int begin, end;
};

static Taps taps_inside(int first, int dilation, int kernel, int low, int high) {
  Taps t = {0, 0};
  if (first < low) t.begin = (low - first + dilation - 1) / dilation;
  if (first < high) t.end = (high - first + dilation - 1) / dilation;
  if (t.end > kernel) t.end = kernel;
  if (t.begin > t.end) t.begin = t.end;
  return t;
}

// Pixels of an output row that see the same columns of their windows.
struct PoolRun {
  int columns;     // taps inside the image
  int rows;        // rows folded into the line
  ptrdiff_t at;    // place in the line of the first tap inside
  ptrdiff_t step;  // from one tap to the next
  int count;       // values
  float divisor;   // taps that count in a mean
};

// Calls body(i) for every vector of a run's values.
template <class Body>
LINNET_INLINE void each_vector(const PoolRun& r, int step, const Body& body) {
  for (int i = 0; i < r.count; i += step) body(i, r.count - i);
}

// Stored means of sums; see StoredAveragePoolParams.
template <class Params>
LINNET_INLINE I whole_steps(const Params& p, I sum, float scale) {
  if (p.rounding == MeanRounding::half_even) {
    return rescale(sum, scale, p.zero_out, p.low, p.high);
  }
  const F zero = splat_f(static_cast<float>(p.zero_out)), half = splat_f(0.5f);
  F steps = to_f(sum) * splat_f(scale);
  if (p.rounding == MeanRounding::half_up) {
    steps = floor_f(steps + half) + zero;
  } else {
    steps = steps + zero;
    const F away = floor_f(abs_f(steps) + half);
    steps = select(steps < splat_f(0.0f), -away, away);
  }
  const F low = splat_f(static_cast<float>(p.low)), high = splat_f(static_cast<float>(p.high));
  return to_i_round(clamp_f(steps, low, high));
}

namespace {

// Vectors of values that maxima are taken of.
struct BytesS8 {
  typedef MaxPoolS8Params Params;
  typedef int8_t Value;
  typedef B Vector;
  static constexpr int kStep = kBytes;

  LINNET_INLINE B lowest() { return splat_b(-128); }
  LINNET_INLINE B splat(int x) { return splat_b(x); }
  LINNET_INLINE B load(const int8_t* p) { return load_b(p); }
  LINNET_INLINE void store(int8_t* p, B x) { store_b(p, x); }
  LINNET_INLINE void put(int8_t* p, B x, int room) { put_b(p, x, room); }
  LINNET_INLINE B larger(B a, B b) { return max_b(a, b); }
  LINNET_INLINE B clamp(B x, B low, B high) { return min_b(max_b(x, low), high); }
};

struct WordsS16 {
  typedef MaxPoolS16Params Params;
  typedef int16_t Value;
  typedef I Vector;
  static constexpr int kStep = kLanes;

  LINNET_INLINE I lowest() { return splat_i(-32768); }
  LINNET_INLINE I splat(int x) { return splat_i(x); }
  LINNET_INLINE I load(const int16_t* p) { return load_s16(p); }
  LINNET_INLINE void store(int16_t* p, I x) { store_s16(p, x); }
  LINNET_INLINE void put(int16_t* p, I x, int room) { put_s16(p, x, room); }
  LINNET_INLINE I larger(I a, I b) { return max_i(a, b); }
  LINNET_INLINE I clamp(I x, I low, I high) { return min_i(max_i(x, low), high); }
};

struct FloatsF32 {
  typedef MaxPoolF32Params Params;
  typedef float Value;
  typedef F Vector;
  static constexpr int kStep = kLanes;

  LINNET_INLINE F lowest() { return splat_f(-__builtin_inff()); }
  LINNET_INLINE F splat(float x) { return splat_f(x); }
  LINNET_INLINE F load(const float* p) { return load_f(p); }
  LINNET_INLINE void store(float* p, F x) { store_f(p, x); }
  LINNET_INLINE void put(float* p, F x, int room) { put_f(p, x, room); }
  LINNET_INLINE F larger(F a, F b) { return fold_max(a, b); }
  LINNET_INLINE F clamp(F x, F low, F high) { return min_f(high, max_f(low, x)); }
};

// A pooling kind: fold_rows makes kStep values of the line from `rows` input rows, `step` apart;
// fold_columns makes a run of outputs from the line.
template <class Of>
struct Max {
  typedef typename Of::Params Params;
  typedef typename Of::Value Value;
  typedef Value Line;
  typedef typename Of::Vector Vector;
  static constexpr int kStep = Of::kStep;
  static constexpr bool kMean = false;

  LINNET_INLINE void fold_rows(const Value* x, ptrdiff_t step, int rows, Value* line) {
    Vector best = Of::load(x);
    for (int r = 1; r < rows; ++r) best = Of::larger(best, Of::load(x + r * step));
    Of::store(line, best);
  }
  LINNET_INLINE void fold_columns(const Params& p, const Value* line, const PoolRun& r, Value* y) {
    const Vector low = Of::splat(p.low), high = Of::splat(p.high);
    each_vector(r, kStep, [&](int i, int room) {
      Vector best = Of::lowest();
      for (int t = 0; t < r.columns; ++t) {
        best = Of::larger(best, Of::load(line + r.at + t * r.step + i));
      }
      Of::put(y + i, Of::clamp(best, low, high), room);
    });
  }
};

using MaxS8 = Max<BytesS8>;
using MaxS16 = Max<WordsS16>;
using MaxF32 = Max<FloatsF32>;

struct MeanS8 {
  typedef AveragePoolS8Params Params;
  typedef int8_t Value;
  typedef int16_t Line;
  static constexpr int kStep = 2 * kLanes;
  static constexpr bool kMean = true;

  LINNET_INLINE void fold_rows(const int8_t* x, ptrdiff_t step, int rows, int16_t* line) {
    S sum = load_bytes_s(x);
    for (int r = 1; r < rows; ++r) sum += load_bytes_s(x + r * step);
    store_s(line, sum);
  }
  LINNET_INLINE void fold_columns(const Params& p, const int16_t* line, const PoolRun& r,
                                  int8_t* y) {
    const float scale = p.ratio / r.divisor;
    const I start = splat_i(-p.zero_in * r.rows * r.columns);
    each_vector(r, kLanes, [&](int i, int room) {
      I sum = start;
      for (int t = 0; t < r.columns; ++t) sum += load_s16(line + r.at + t * r.step + i);
      put_s8(y + i, whole_steps(p, sum, scale), room);
    });
  }
};

struct MeanS16 {
  typedef AveragePoolS16Params Params;
  typedef int16_t Value;
  typedef int32_t Line;
  static constexpr int kStep = kLanes;
  static constexpr bool kMean = true;

  LINNET_INLINE void fold_rows(const int16_t* x, ptrdiff_t step, int rows, int32_t* line) {
    I sum = load_s16(x);
    for (int r = 1; r < rows; ++r) sum += load_s16(x + r * step);
    store_i(line, sum);
  }
  LINNET_INLINE void fold_columns(const Params& p, const int32_t* line, const PoolRun& r,
                                  int16_t* y) {
    const float scale = p.ratio / r.divisor;
    each_vector(r, kLanes, [&](int i, int room) {
      I sum = splat_i(-p.zero_in * r.rows * r.columns);
      for (int t = 0; t < r.columns; ++t) sum += load_i(line + r.at + t * r.step + i);
      put_s16(y + i, whole_steps(p, sum, scale), room);
    });
  }
};

struct MeanF32 {
  typedef AveragePoolF32Params Params;
  typedef float Value;
  typedef float Line;
  static constexpr int kStep = kLanes;
  static constexpr bool kMean = true;

  LINNET_INLINE void fold_rows(const float* x, ptrdiff_t step, int rows, float* line) {
    F sum = load_f(x);
    for (int r = 1; r < rows; ++r) sum = sum + load_f(x + r * step);
    store_f(line, sum);
  }
  LINNET_INLINE void fold_columns(const Params& p, const float* line, const PoolRun& r, float* y) {
    const F low = splat_f(p.low), high = splat_f(p.high), divisor = splat_f(r.divisor);
    each_vector(r, kStep, [&](int i, int room) {
      F sum = splat_f(0.0f);
      for (int t = 0; t < r.columns; ++t) sum = sum + load_f(line + r.at + t * r.step + i);
      put_f(y + i, min_f(high, max_f(low, sum / divisor)), room);
    });
  }
};

}  // namespace

// Taps that a mean divides by along one axis: inside the image, or inside the padded image.
template <class Params>
static int counted(const Params& p, int first, int dilation, int kernel, int size, int before,
                   int after) {
  const int more = p.count_padding ? 1 : 0;
  const Taps t = taps_inside(first, dilation, kernel, -before * more, size + after * more);
  return t.end - t.begin;
}

// The part of an output row that a run needs to know about its rows.
struct PoolRows {
  Taps taps;
  int counted;
};

template <class Kind>
static PoolRows pool_rows(const typename Kind::Params& p, int i) {
  const PoolShape& s = p.shape;
  const int row = i * s.stride_h - s.top;
  PoolRows rows = {taps_inside(row, s.dilation_h, s.kernel_h, 0, s.height), 1};
  if constexpr (Kind::kMean) {
    rows.counted = counted(p, row, s.dilation_h, s.kernel_h, s.height, s.top, s.bottom);
  }
  return rows;
}

template <class Kind>
static PoolRun pool_run(const typename Kind::Params& p, const PoolRows& rows, int pixel,
                        int pixels) {
  const PoolShape& s = p.shape;
  const int column = pixel * s.stride_w - s.left;
  const Taps t = taps_inside(column, s.dilation_w, s.kernel_w, 0, s.width);
  PoolRun r;
  r.rows = rows.taps.end - rows.taps.begin;
  r.columns = r.rows > 0 ? t.end - t.begin : 0;
  r.at = ((ptrdiff_t)column + (ptrdiff_t)t.begin * s.dilation_w) * s.channels;
  r.step = (ptrdiff_t)s.dilation_w * s.channels;
  r.count = pixels * s.channels;
  r.divisor = 1.0f;
  if constexpr (Kind::kMean) {
    const int columns = counted(p, column, s.dilation_w, s.kernel_w, s.width, s.left, s.right);
    const int taps = columns * rows.counted;
    r.divisor = (float)(taps > 0 ? taps : 1);
  }
  return r;
}

// The pixels [begin, end) whose windows lie inside the image across.
static Taps whole_pixels(const PoolShape& s) {
  const int span = (s.kernel_w - 1) * s.dilation_w + 1;
  Taps t = {(s.left + s.stride_w - 1) / s.stride_w, 0};
  if (s.width + s.left >= span) t.end = (s.width + s.left - span) / s.stride_w + 1;
  if (t.end > s.out_width) t.end = s.out_width;
  if (t.begin > t.end) t.begin = t.end;
  return t;
}

template <class Kind>
static void pool_line(const typename Kind::Params& p, const PoolRows& rows,
                      const typename Kind::Line* line, typename Kind::Value* y) {
  const PoolShape& s = p.shape;
  const Taps whole = whole_pixels(s);
  for (int j = 0; j < s.out_width; ++j) {
    typename Kind::Value* place = y + (ptrdiff_t)j * s.channels;
    if (j != whole.begin || j == whole.end) {
      Kind::fold_columns(p, line, pool_run<Kind>(p, rows, j, 1), place);
      continue;
    }
    if (s.stride_w == 1) {
      Kind::fold_columns(p, line, pool_run<Kind>(p, rows, j, whole.end - j), place);
    } else {
      PoolRun run = pool_run<Kind>(p, rows, j, 1);
      for (int k = j; k < whole.end; ++k, place += s.channels) {
        Kind::fold_columns(p, line, run, place);
        run.at += (ptrdiff_t)s.stride_w * s.channels;
      }
    }
    j = whole.end - 1;
  }
}

// Scratch: width * channels values of Kind::Line, and a vector more.
template <class Kind>
static void pool(const typename Kind::Params& p, const Worker& w) {
  const PoolShape& s = p.shape;
  const ptrdiff_t row_values = (ptrdiff_t)s.width * s.channels;
  typename Kind::Line* line = static_cast<typename Kind::Line*>(w.scratch);
  const Span part = split((int64_t)s.batch * s.out_height, w);
  for (int64_t row = part.begin; row < part.end; ++row) {
    const int i = (int)(row % s.out_height);
    const PoolRows rows = pool_rows<Kind>(p, i);
    const ptrdiff_t first =
        row / s.out_height * s.height + i * s.stride_h - s.top + rows.taps.begin * s.dilation_h;
    const int count = rows.taps.end - rows.taps.begin;
    for (ptrdiff_t v = 0; count > 0 && v < row_values; v += Kind::kStep) {
      Kind::fold_rows(p.x + first * row_values + v, s.dilation_h * row_values, count, line + v);
    }
    pool_line<Kind>(p, rows, line, p.y + row * s.out_width * s.channels);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
