// Which keys a query sees, and the scores of those it does not.
#pragma once

#include "attention/params.h"
#include "elementwise/math.h"
#include "linear/fold.h"

namespace linnet {
namespace LINNET_ISA {

struct KeySpan {
  int64_t begin;
  int64_t end;
};

LINNET_INLINE int64_t valid_keys(const AttentionParams& p, int64_t batch) {
  if (p.lengths == nullptr) return p.keys;
  const int64_t valid = p.lengths[batch];
  return valid < 0 ? 0 : valid < p.keys ? valid : p.keys;
}

// Keys that queries [first, last] of a batch entry may see.
static KeySpan visible_keys(const AttentionParams& p, int64_t batch, int64_t first, int64_t last) {
  KeySpan span = {0, valid_keys(p, batch)};
  const int64_t shift = p.from_end ? span.end - p.length : 0;
  int64_t end = span.end;
  if (p.causal) {
    end = last + shift + 1;
  } else if (p.window > 0) {
    end = last + shift + p.window;
  }
  if (p.window > 0) span.begin = first + shift - p.window + 1;
  if (span.begin < 0) span.begin = 0;
  if (end < span.end) span.end = end;
  if (span.end < span.begin) span.end = span.begin;
  return span;
}

// The mask of one query row from key `first` on.
struct MaskRow {
  const void* data;
  int64_t first;
  int64_t step;
  MaskKind kind;
};

LINNET_INLINE MaskRow mask_row(const AttentionParams& p, int64_t batch, int64_t head, int64_t row,
                               int64_t key) {
  const int64_t first =
      batch * p.mask_batch + head * p.mask_head + row * p.mask_row + key * p.mask_key;
  return {p.mask, first, p.mask_key, p.mask_kind};
}

LINNET_INLINE F masked(F scores, const MaskRow& mask, int64_t j) {
  if (mask.kind == MaskKind::kNone) return scores;
  const int64_t at = mask.first + j * mask.step;
  if (mask.kind == MaskKind::kFloat) {
    const float* values = static_cast<const float*>(mask.data) + at;
    return scores + (mask.step == 0 ? splat_f(*values) : load_f(values));
  }
  const uint8_t* values = static_cast<const uint8_t*>(mask.data) + at;
  const I seen = mask.step == 0 ? splat_i(*values) : load_u8(values);
  return select((I)(seen != 0), scores, splat_f(-kInfinity));
}

LINNET_INLINE I lane_numbers() {
  I lanes;
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes;
}

// One vector of scores of which lanes [begin, end) take part; the others become -inf.
LINNET_INLINE F within(F x, int64_t begin, int64_t end) {
  const I lanes = lane_numbers();
  const I inside = (I)(lanes >= splat_i(static_cast<int32_t>(begin))) &
                   (I)(lanes < splat_i(static_cast<int32_t>(end)));
  return select(inside, x, splat_f(-kInfinity));
}

// prepare_scores where all keys up to the last whole vector take part.
template <bool kCapped>
static F prepare_whole(float* scores, int64_t width, float factor, float softcap,
                       const MaskRow& mask) {
  F peak = splat_f(-kInfinity);
  const F scale = splat_f(factor);
  int64_t j = 0;
  const auto take = [&](F x) {
    if (kCapped) x = tanh_f(x) * splat_f(softcap);
    return x;
  };
  if (mask.kind == MaskKind::kNone) {
    for (; j < width; j += kLanes) {
      const F x = take(load_f(scores + j) * scale);
      store_f(scores + j, x);
      peak = max_f(x, peak);
    }
  } else if (mask.kind == MaskKind::kFloat && mask.step == 1) {
    const float* values = static_cast<const float*>(mask.data) + mask.first;
    for (; j < width; j += kLanes) {
      const F x = take(load_f(scores + j) * scale) + load_f(values + j);
      store_f(scores + j, x);
      peak = max_f(x, peak);
    }
  } else {
    for (; j < width; j += kLanes) {
      const F x = masked(take(load_f(scores + j) * scale), mask, j);
      store_f(scores + j, x);
      peak = max_f(x, peak);
    }
  }
  return peak;
}

// Scales, caps and masks scores[0, width), of which keys [seen.begin, seen.end) take part, and
// returns their peaks lane by lane. All other lanes, up to a whole vector, become -inf.
static F prepare_scores(float* scores, int64_t width, KeySpan seen, float scale, float softcap,
                        const MaskRow& mask) {
  const float factor = softcap > 0.0f ? scale / softcap : scale;
  const int64_t whole = seen.begin > 0 ? 0 : seen.end < 0 ? 0 : seen.end / kLanes * kLanes;
  F peak = softcap > 0.0f ? prepare_whole<true>(scores, whole, factor, softcap, mask)
                          : prepare_whole<false>(scores, whole, factor, softcap, mask);
  for (int64_t j = whole; j < width; j += kLanes) {
    F x = splat_f(-kInfinity);
    if (j < seen.end && j + kLanes > seen.begin) {
      x = load_f(scores + j) * splat_f(factor);
      if (softcap > 0.0f) x = tanh_f(x) * splat_f(softcap);
      x = within(masked(x, mask, j), seen.begin - j, seen.end - j);
    }
    store_f(scores + j, x);
    peak = max_f(x, peak);
  }
  return peak;
}

// Greatest scores, lane by lane, of whole vectors.
LINNET_INLINE F peaks_of(const float* scores, int64_t width) {
  F most = load_f(scores);
  for (int64_t j = kLanes; j < width; j += kLanes) most = max_f(load_f(scores + j), most);
  return most;
}

// Whether every row of a chunk sees all keys of a block and nothing changes its scores.
static bool is_plain(const AttentionParams& p, int64_t batch, int64_t low, int64_t high,
                     int64_t key, int64_t count) {
  if (p.mask_kind != MaskKind::kNone || p.softcap > 0.0f || !(p.scale > 0.0f)) return false;
  if (count % kLanes != 0) return false;
  const KeySpan first = visible_keys(p, batch, low, low), last = visible_keys(p, batch, high, high);
  return first.begin <= key && last.begin <= key && first.end >= key + count &&
         last.end >= key + count;
}

// Query rows of one task in one head, whose rows lie `step` apart: all heads of a group in one
// sequence where they follow each other like rows.
struct HeadRows {
  int64_t head;  // of the first row
  int64_t first;
  int64_t count;
};

LINNET_INLINE bool joined_heads(const AttentionParams& p, const HeadSteps& at) {
  return p.length == 1 || at.head == p.length * at.row;
}

LINNET_INLINE int64_t row_step(const AttentionParams& p, const HeadSteps& at) {
  return p.length == 1 ? at.head : at.row;
}

// The next rows, at most `most`, of a task's [row, end), counted through the heads of a group.
LINNET_INLINE HeadRows next_rows(const AttentionParams& p, int64_t row, int64_t end, int64_t most) {
  HeadRows rows = {row / p.length, row % p.length, end - row < most ? end - row : most};
  const int64_t left = p.length - rows.first;
  const bool joined = joined_heads(p, p.q_at) && joined_heads(p, p.out_at);
  if (!joined && rows.count > left) rows.count = left;
  return rows;
}

}  // namespace LINNET_ISA
}  // namespace linnet
