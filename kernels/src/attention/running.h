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
        const float scale = steps != nullptr ? steps[r] * p.scale : p.scale;
        most[i] = prepare_scores(own, chunk.count, inside, scale, p.softcap,
                                 mask_row(p, chunk.batch, head, at, chunk.key));
        if (++at == p.length) at = 0, ++head;
      }
    }
    F factors = splat_f(unit);
    if (chunk.plain) {
      factors = splat_f(p.scale * unit);
      if (steps != nullptr) factors = load_f(steps + row) * factors;
    }
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

}  // namespace LINNET_ISA
}  // namespace linnet
