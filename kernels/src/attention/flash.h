// Attention block by block of keys, with a running peak and sum per query row.
#pragma once

#include "attention/blocking.h"
#include "attention/exp.h"
#include "float/multiply.h"
#include "float/transpose.h"

namespace linnet {
namespace LINNET_ISA {

constexpr float kInfinity = __builtin_inff();

// The mask of one query row from key `first` on.
struct MaskRow {
  const void* data;
  int64_t first;
  int64_t step;
  MaskKind kind;
};

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

// Scales and masks scores[0, width) of which keys [0, visible) take part, returns their peak. The
// vectors' lanes behind the last visible key become -inf.
static float prepare_scores(float* scores, int64_t width, int64_t visible, float scale,
                            const MaskRow& mask) {
  F peak = splat_f(-kInfinity);
  const I lanes = lane_numbers();
  for (int64_t j = 0; j < width; j += kLanes) {
    F x = splat_f(-kInfinity);
    if (j < visible) {
      x = masked(load_f(scores + j) * splat_f(scale), mask, j);
      const I left = splat_i(static_cast<int32_t>(visible - j));
      x = select((I)(lanes < left), x, splat_f(-kInfinity));
    }
    store_f(scores + j, x);
    peak = max_f(x, peak);
  }
  return max_of_f(peak);
}

// Turns scores into e^(score - peak) and returns their sum.
static float exponentiate(float* scores, int64_t width, float peak) {
  F sum = splat_f(0.0f);
  for (int64_t j = 0; j < width; j += kLanes) {
    const F p = exp_of_negative(load_f(scores + j) - splat_f(peak));
    store_f(scores + j, p);
    sum = sum + p;
  }
  return sum_f(sum);
}

static void scale_row(float* row, int64_t count, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_f(row + i, load_f(row + i) * splat_f(factor));
  for (; i < count; ++i) row[i] *= factor;
}

// Rows [begin, end) of all query rows that share one key and value head.
struct TaskF32 {
  int64_t batch;
  int64_t kv_head;
  int64_t begin;
  int64_t end;
  float* transposed;
  float* scores;
  float* peaks;
  float* sums;
};

// Head-major index of the first query row of the task's group.
LINNET_INLINE int64_t group_row(const AttentionF32Params& p, const TaskF32& task) {
  return (task.batch * p.heads + task.kv_head * (p.heads / p.kv_heads)) * p.length;
}

LINNET_INLINE MaskRow mask_row(const AttentionF32Params& p, const TaskF32& task, int64_t row,
                               int64_t key) {
  const int64_t head = task.kv_head * (p.heads / p.kv_heads) + row / p.length;
  const int64_t first = task.batch * p.mask_batch + head * p.mask_head +
                        row % p.length * p.mask_row + key * p.mask_key;
  return {p.mask, first, p.mask_key, p.mask_kind};
}

// Folds scores of keys [key, key + count) into one row's peak, sum and output.
static void update_row(const AttentionF32Params& p, const TaskF32& task, int64_t row, int64_t key,
                       int64_t count, float* scores, float* out) {
  int64_t visible = count;
  if (p.causal) {
    const int64_t until = row % p.length + 1 - key;
    visible = until < 0 ? 0 : until < count ? until : count;
  }
  float* peak = task.peaks + (row - task.begin);
  float* sum = task.sums + (row - task.begin);
  const float block = prepare_scores(scores, count, visible, p.scale, mask_row(p, task, row, key));
  const float highest = block > *peak ? block : *peak;
  // Without a visible key so far any finite peak will do: -inf - -inf would be NaN.
  const float base = highest == -kInfinity ? 0.0f : highest;
  const float total = exponentiate(scores, count, base);
  const float factor = exp_of_negative(splat_f(*peak - base))[0];
  *sum = *sum * factor + total;
  *peak = highest;
  if (key > 0 && factor != 1.0f) scale_row(out, p.value_depth, factor);
}

// Keys [key, key + count) for every row of the task.
static void attend_block(const AttentionF32Params& p, const TaskF32& task, int64_t key,
                         int64_t count) {
  const int64_t stride = key_block(p.keys);
  const int64_t kv = (task.batch * p.kv_heads + task.kv_head) * p.keys + key;
  transpose(p.k + kv * p.depth, p.depth, task.transposed, stride, count, p.depth);
  ProductF32 score{}, mix{};
  score.b = task.transposed;
  score.ldb = score.ldc = mix.lda = stride;
  score.lda = score.depth = p.depth;
  score.c = task.scores;
  mix.a = task.scores;
  mix.b = p.v + kv * p.value_depth;
  mix.ldb = mix.ldc = p.value_depth;
  mix.depth = count;
  mix.adds = key > 0;
  score.low = mix.low = -kInfinity;
  score.high = mix.high = kInfinity;
  score.layout = mix.layout = LayoutF32::kRows;
  const int64_t first = group_row(p, task);
  for (int64_t row = task.begin; row < task.end; row += kChunkRows) {
    const int64_t rows = task.end - row < kChunkRows ? task.end - row : kChunkRows;
    score.a = p.q + (first + row) * p.depth;
    multiply(score, rows, 0, count);
    mix.c = p.out + (first + row) * p.value_depth;
    for (int64_t i = 0; i < rows; ++i) {
      update_row(p, task, row + i, key, count, task.scores + i * stride, mix.c + i * p.value_depth);
    }
    multiply(mix, rows, 0, p.value_depth);
  }
}

static void attend(const AttentionF32Params& p, const TaskF32& task) {
  for (int64_t i = 0; i < task.end - task.begin; ++i) {
    task.peaks[i] = -kInfinity;
    task.sums[i] = 0.0f;
  }
  int64_t keys = p.keys;
  if (p.causal) {
    const bool one_head = task.begin / p.length == (task.end - 1) / p.length;
    const int64_t seen = one_head ? (task.end - 1) % p.length + 1 : p.length;
    keys = seen < keys ? seen : keys;
  }
  const int64_t step = key_block(p.keys);
  for (int64_t key = 0; key < keys; key += step) {
    attend_block(p, task, key, keys - key < step ? keys - key : step);
  }
  float* out = p.out + (group_row(p, task) + task.begin) * p.value_depth;
  for (int64_t i = 0; i < task.end - task.begin; ++i, out += p.value_depth) {
    if (task.sums[i] != 0.0f) {
      scale_row(out, p.value_depth, 1.0f / task.sums[i]);
    } else {
      for (int64_t d = 0; d < p.value_depth; ++d) out[d] = 0.0f;
    }
  }
}

static void run_attention(const AttentionF32Params& p, const Worker& worker) {
  if (p.kv_heads == 0 || p.length == 0) return;
  const int64_t rows = p.heads / p.kv_heads * p.length, height = task_rows(p);
  const int64_t blocks = (rows + height - 1) / height;
  float* scratch = static_cast<float*>(worker.scratch);
  TaskF32 task;
  task.transposed = scratch;
  task.scores = task.transposed + transposed_floats(p);
  task.peaks = task.scores + kChunkRows * key_block(p.keys);
  task.sums = task.peaks + height;
  const Span units = split(p.batch * p.kv_heads * blocks, worker);
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    task.batch = unit / blocks / p.kv_heads;
    task.kv_head = unit / blocks % p.kv_heads;
    task.begin = unit % blocks * height;
    task.end = rows - task.begin < height ? rows : task.begin + height;
    attend(p, task);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
