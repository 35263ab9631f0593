// Peaks and sums of query rows over the blocks of keys that they have met. Peaks are in a unit of
// the kernel's choice: weights are e^(score) = 2^(score * log2(e)).
#pragma once

#include "attention/blocking.h"
#include "attention/exp.h"
#include "attention/visible.h"

namespace linnet {
namespace LINNET_ISA {

// One number for each row of a chunk, whole vectors readable; `peaks` and `sums` last from block to
// block.
struct RunningRows {
  float* peaks;
  float* sums;
  float* own;      // peaks of the present block
  float* keep;     // what the block leaves of those before
  float* factors;  // from a stored score to the unit of peaks
};

// Where the chunk's rows lie among queries, and which keys the block has.
struct ChunkOfKeys {
  HeadRows rows;
  int64_t batch;
  int64_t kv_head;
  int64_t key;
  int64_t count;
  bool plain;
};

// Prepares scores [row][stride] of a chunk and finds the block's peaks. A row's scores are to be
// multiplied by its `steps`, 1 where null; times `unit` they are in the unit of peaks.
static void find_peaks(const AttentionParams& p, const ChunkOfKeys& chunk, const RunningRows& run,
                       float* scores, int64_t stride, const float* steps, float unit) {
  int64_t head = chunk.kv_head * (p.heads / p.kv_heads) + chunk.rows.head, at = chunk.rows.first;
  // Scores stay as they are wherever that is possible, so that a row's do not depend on its chunk.
  const bool raw = p.softcap <= 0.0f && p.mask_kind != MaskKind::kFloat && p.scale > 0.0f;
  for (int64_t row = 0; row < chunk.rows.count; row += kLanes) {
    F most[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      const int64_t r = row + i;
      float* own = scores + r * stride;
      if (r >= chunk.rows.count) {
        most[i] = splat_f(0.0f);
      } else if (chunk.plain) {
        most[i] = peaks_of(own, chunk.count);
      } else {
        const KeySpan seen = visible_keys(p, chunk.batch, at, at);
        const int64_t last = seen.end - chunk.key;
        const KeySpan inside = {seen.begin - chunk.key, last < chunk.count ? last : chunk.count};
        const float scale = raw ? 1.0f : steps != nullptr ? steps[r] * p.scale : p.scale;
        most[i] = prepare_scores(own, chunk.count, inside, scale, p.softcap,
                                 mask_row(p, chunk.batch, head, at, chunk.key));
        if (++at == p.length) at = 0, ++head;
      }
    }
    F factors = splat_f(raw ? p.scale * unit : unit);
    if (raw && steps != nullptr) factors = load_f(steps + row) * factors;
    store_f(run.factors + row, factors);
    store_f(run.own + row, tops_of(most) * factors);
  }
}

// Without a visible key so far any finite peak will do: -inf - -inf would be NaN.
LINNET_INLINE F finite_peak(F peak) {
  return select((I)(peak == splat_f(-kInfinity)), splat_f(0.0f), peak);
}

// Lets the block's peaks join the running ones; sums shrink by what is kept of them.
static void fold_peaks(const RunningRows& run, int64_t rows, float unit) {
  const F natural = splat_f(1.0f / unit);
  const F none = splat_f(-kInfinity), zero = splat_f(0.0f);
  for (int64_t i = 0; i < rows; i += kLanes) {
    const int lanes = static_cast<int>(rows - i < kLanes ? rows - i : kLanes);
    const F before = load_f(run.peaks + i, lanes);
    const F highest = max_f(before, load_f(run.own + i));
    const F older = exp_of_negative((before - finite_peak(highest)) * natural);
    const F keep = select((I)(before == none), zero, older);
    store_f(run.keep + i, keep);
    store_f(run.peaks + i, highest, lanes);
    store_f(run.sums + i, load_f(run.sums + i, lanes) * keep, lanes);
  }
}

// Turns scores into e^(score * factor - peak) and returns their sums lane by lane.
LINNET_INLINE F exponentiate(float* scores, int64_t width, float factor, float peak) {
  constexpr int kTogether = 4;
  F sum[2] = {splat_f(0.0f), splat_f(0.0f)};
  const F scale = splat_f(factor), less = splat_f(-peak);
  int64_t j = 0;
  for (; j + kTogether * kLanes <= width; j += kTogether * kLanes) {
    F power[kTogether];
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      power[i] = fma(load_f(scores + j + i * kLanes), scale, less);
    }
    exp_of_negative(power);
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      store_f(scores + j + i * kLanes, power[i]);
      sum[i % 2] = sum[i % 2] + power[i];
    }
  }
  for (; j < width; j += kLanes) {
    const F power = exp_of_negative(fma(load_f(scores + j), scale, less));
    store_f(scores + j, power);
    sum[0] = sum[0] + power;
  }
  return sum[0] + sum[1];
}

// Turns a chunk's scores into weights relative to the running peaks, and adds those to the sums.
static void weigh_rows(const RunningRows& run, int64_t rows, float* scores, int64_t stride,
                       int64_t count) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    const int lanes = static_cast<int>(rows - row < kLanes ? rows - row : kLanes);
    float base[kLanes];
    store_f(base, finite_peak(load_f(run.peaks + row, lanes)));
    F sums[kLanes];
    for (int i = 0; i < kLanes; ++i, scores += stride) {
      sums[i] =
          i < lanes ? exponentiate(scores, count, run.factors[row + i], base[i]) : splat_f(0.0f);
    }
    store_f(run.sums + row, load_f(run.sums + row, lanes) + totals_of(sums), lanes);
  }
}

static void scale_row(float* row, int64_t count, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_f(row + i, load_f(row + i) * splat_f(factor));
  for (; i < count; ++i) row[i] *= factor;
}

}  // namespace LINNET_ISA
}  // namespace linnet
