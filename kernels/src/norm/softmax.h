// Softmax bodies: a row, or several neighboring columns at once.
#pragma once

#include "elementwise/math.h"
#include "norm/params.h"
#include "norm/reduce_row.h"

namespace linnet {
namespace LINNET_ISA {

// Whole numbers up to 2^51 added to this lose their fraction by rounding half to even.
constexpr double kRoundMagic = 6755399441055744.0;

static int8_t stored_share(uint32_t e, double step, int32_t zero) {
  const double steps = static_cast<double>(static_cast<int32_t>(e)) / step;
  const double bounded = steps < 512.0 ? steps : 512.0;
  const int32_t stored = static_cast<int32_t>((bounded + kRoundMagic) - kRoundMagic) + zero;
  return static_cast<int8_t>(stored < -128 ? -128 : stored > 127 ? 127 : stored);
}

static void softmax_row_s8(const SoftmaxS8Params& p, const int8_t* x, int8_t* y) {
  const int64_t n = p.layout.length;
  int8_t best = -128;
  for (int64_t i = 0; i < n; ++i) best = x[i] > best ? x[i] : best;
  const int32_t most = best;
  uint64_t sum[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int c = 0; c < 4; ++c) sum[c] += p.table[most - x[i + c]];
  }
  for (; i < n; ++i) sum[0] += p.table[most - x[i]];
  const double step = static_cast<double>(sum[0] + sum[1] + sum[2] + sum[3]) * p.scale;
  int8_t shares[256];
  if (n > 256) {
    for (int d = 0; d < 256; ++d) shares[d] = stored_share(p.table[d], step, p.zero);
    for (i = 0; i < n; ++i) y[i] = shares[most - x[i]];
    return;
  }
  uint32_t e[256];
  for (i = 0; i < n; ++i) e[i] = p.table[most - x[i]];
  for (i = 0; i < n; ++i) y[i] = stored_share(e[i], step, p.zero);
}

static void softmax_column_s8(const SoftmaxS8Params& p, const int8_t* x, int8_t* y, int8_t* row) {
  for (int64_t i = 0; i < p.layout.length; ++i) row[i] = x[i * p.layout.inner];
  softmax_row_s8(p, row, row);
  for (int64_t i = 0; i < p.layout.length; ++i) y[i * p.layout.inner] = row[i];
}

template <bool kLog>
static void softmax_row_f32(const SoftmaxF32Params& p, const float* x, float* y) {
  const int64_t n = p.layout.length;
  const F most = splat_f(max_row(x, n));
  const F beta = splat_f(p.beta);
  const float sum = sum_row(n, [&](int64_t i, int lanes) {
    const F e = exp_f((load_lanes(x + i, lanes) - most) * beta);
    if (!kLog) store_lanes(y + i, e, lanes);
    return e;
  });
  if (kLog) {
    const F total = log_f(splat_f(sum));
    store_row(y, n,
              [&](int64_t i, int lanes) { return (load_lanes(x + i, lanes) - most) - total; });
  } else {
    const F share = splat_f(1.0f / sum);
    store_row(y, n, [&](int64_t i, int lanes) { return load_lanes(y + i, lanes) * share; });
  }
}

// As many neighboring columns as there are lanes, or fewer; `stride` floats from row to row.
template <bool kLog>
static void softmax_columns_f32(const SoftmaxF32Params& p, const float* x, float* y, int64_t stride,
                                int lanes) {
  const int64_t n = p.layout.length;
  const F beta = splat_f(p.beta);
  F most = splat_f(-kInfinity);
  for (int64_t i = 0; i < n; ++i) most = max_f(most, load_lanes(x + i * stride, lanes));
  BlockSum sum;
  for (int64_t i = 0; i < n; ++i) {
    const F e = exp_f((load_lanes(x + i * stride, lanes) - most) * beta);
    if (!kLog) store_lanes(y + i * stride, e, lanes);
    sum.add(e);
  }
  const F factor = kLog ? log_f(sum.sum()) : splat_f(1.0f) / sum.sum();
  for (int64_t i = 0; i < n; ++i) {
    const F value = kLog ? (load_lanes(x + i * stride, lanes) - most) - factor
                         : load_lanes(y + i * stride, lanes) * factor;
    store_lanes(y + i * stride, value, lanes);
  }
}

// Rows of at most this many numbers are turned into columns: a vector per row would be idle lanes.
constexpr int64_t kShortRow = 8;

// `count` <= kLanes short rows.
template <bool kLog>
static void softmax_short_rows_f32(const SoftmaxF32Params& p, const float* x, float* y, int count) {
  const int64_t n = p.layout.length;
  float columns[kShortRow * kLanes] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (int r = 0; r < count; ++r) columns[i * kLanes + r] = x[r * n + i];
  }
  softmax_columns_f32<kLog>(p, columns, columns, kLanes, kLanes);
  for (int64_t i = 0; i < n; ++i) {
    for (int r = 0; r < count; ++r) y[r * n + i] = columns[i * kLanes + r];
  }
}

template <bool kLog>
static void softmax_all_f32(const SoftmaxF32Params& p, const Worker& worker) {
  const int64_t slab = p.layout.length * p.layout.inner;
  if (p.layout.inner == 1) {
    const Span rows = split(p.layout.outer, worker);
    if (p.layout.length <= kShortRow) {
      for (int64_t r = rows.begin; r < rows.end; r += kLanes) {
        const int64_t left = rows.end - r;
        softmax_short_rows_f32<kLog>(p, p.x + r * slab, p.y + r * slab,
                                     static_cast<int>(left < kLanes ? left : kLanes));
      }
      return;
    }
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      softmax_row_f32<kLog>(p, p.x + r * slab, p.y + r * slab);
    }
    return;
  }
  const int64_t groups = (p.layout.inner + kLanes - 1) / kLanes;
  const Span span = split(p.layout.outer * groups, worker);
  for (int64_t g = span.begin; g < span.end; ++g) {
    const int64_t column = g % groups * kLanes;
    const int64_t left = p.layout.inner - column;
    const int64_t from = g / groups * slab + column;
    softmax_columns_f32<kLog>(p, p.x + from, p.y + from, p.layout.inner,
                              static_cast<int>(left < kLanes ? left : kLanes));
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
