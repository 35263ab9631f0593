// Attention block by block of keys, with a running peak and sum per query row.
#pragma once

#include "attention/blocking.h"
#include "attention/running.h"
#include "attention/stored.h"
#include "float/multiply.h"
#include "float/transpose.h"

namespace linnet {
namespace LINNET_ISA {

// Rows [begin, end) of all query rows that share one key and value head.
struct TaskF32 {
  int64_t batch;
  int64_t kv_head;
  int64_t begin;
  int64_t end;
  float* widened;
  float* transposed;
  float* scores;
  RunningRows run;  // peaks and sums of all rows
};

LINNET_INLINE int64_t first_head(const AttentionParams& p, const TaskF32& task) {
  return task.kv_head * (p.heads / p.kv_heads);
}

LINNET_INLINE float* out_rows(const AttentionParams& p, const TaskF32& task, const HeadRows& rows) {
  return p.out + task.batch * p.out_at.batch + (first_head(p, task) + rows.head) * p.out_at.head +
         rows.first * p.out_at.row;
}

// Keys [key, key + count) for every row of the task.
static void attend_block(const AttentionParams& p, const TaskF32& task, int64_t key, int64_t count,
                         bool first) {
  const int64_t stride = key_block(p.keys);
  const StoredRows keys = stored_keys(p, task.batch, task.kv_head, key);
  const StoredRows values = stored_values(p, task.batch, task.kv_head, key);
  ProductF32 score{}, mix{};
  if (p.stored == Stored::kFloat32) {
    transpose(static_cast<const float*>(keys.data), keys.step, task.transposed, stride, count,
              p.depth);
    mix.b = static_cast<const float*>(values.data);
    mix.ldb = values.step;
  } else {
    mix.b = task.widened;
    mix.ldb = widened_step(p);
    by_storage<Widen>(p.stored, keys, count, p.depth, task.widened, mix.ldb);
    transpose(task.widened, mix.ldb, task.transposed, stride, count, p.depth);
    by_storage<Widen>(p.stored, values, count, p.value_depth, task.widened, mix.ldb);
  }
  score.b = task.transposed;
  score.ldb = score.ldc = mix.lda = stride;
  score.lda = row_step(p, p.q_at);
  score.depth = p.depth;
  score.c = task.scores;
  mix.a = task.scores;
  mix.ldc = row_step(p, p.out_at);
  mix.depth = count;
  mix.adds = !first;
  score.low = mix.low = -kInfinity;
  score.high = mix.high = kInfinity;
  score.layout = mix.layout = LayoutF32::kRows;
  for (int64_t row = task.begin; row < task.end;) {
    const HeadRows rows = next_rows(p, row, task.end, kChunkRows);
    score.a = p.q + task.batch * p.q_at.batch + (first_head(p, task) + rows.head) * p.q_at.head +
              rows.first * p.q_at.row;
    multiply(score, rows.count, 0, count);
    mix.c = out_rows(p, task, rows);
    const int64_t last = rows.first + rows.count - 1;
    const bool plain = is_plain(p, task.batch, last < p.length ? rows.first : 0,
                                last < p.length ? last : p.length - 1, key, count);
    RunningRows run = task.run;
    run.peaks += row - task.begin, run.sums += row - task.begin;
    find_peaks(p, {rows, task.batch, task.kv_head, key, count, plain}, run, task.scores, stride,
               nullptr, 1.0f);
    fold_peaks(run, rows.count, 1.0f);
    weigh_rows(run, rows.count, task.scores, stride, count);
    for (int64_t i = 0; i < rows.count && !first; ++i) {
      if (run.keep[i] != 1.0f) scale_row(mix.c + i * mix.ldc, p.value_depth, run.keep[i]);
    }
    multiply(mix, rows.count, 0, p.value_depth);
    row += rows.count;
  }
}

// Divides rows by the sums of their weights; rows that saw no key become zeros.
static void finish_rows(const AttentionParams& p, const TaskF32& task, bool none) {
  for (int64_t row = task.begin; row < task.end;) {
    const HeadRows rows = next_rows(p, row, task.end, task.end - task.begin);
    const float* sums = task.run.sums + (row - task.begin);
    float* out = out_rows(p, task, rows);
    for (int64_t i = 0; i < rows.count; ++i, out += row_step(p, p.out_at)) {
      if (sums[i] != 0.0f && !none) {
        scale_row(out, p.value_depth, 1.0f / sums[i]);
      } else {
        for (int64_t d = 0; d < p.value_depth; ++d) out[d] = 0.0f;
      }
    }
    row += rows.count;
  }
}

static void attend(const AttentionParams& p, const TaskF32& task) {
  for (int64_t i = 0; i < task.end - task.begin; ++i) {
    task.run.peaks[i] = -kInfinity;
    task.run.sums[i] = 0.0f;
  }
  const bool one_head = task.begin / p.length == (task.end - 1) / p.length;
  const int64_t low = one_head ? task.begin % p.length : 0;
  const int64_t high = one_head ? (task.end - 1) % p.length : p.length - 1;
  const KeySpan seen = visible_keys(p, task.batch, low, high);
  const int64_t step = key_block(p.keys);
  const int64_t start = seen.begin / step * step;
  for (int64_t key = start; key < seen.end; key += step) {
    attend_block(p, task, key, seen.end - key < step ? seen.end - key : step, key == start);
  }
  finish_rows(p, task, start >= seen.end);
}

static void run_attention(const AttentionParams& p, const Worker& worker) {
  if (p.kv_heads == 0 || p.length == 0) return;
  const int64_t rows = p.heads / p.kv_heads * p.length, height = p.task_rows;
  const int64_t blocks = (rows + height - 1) / height;
  float* scratch = static_cast<float*>(worker.scratch);
  TaskF32 task;
  task.widened = scratch;
  task.transposed = task.widened + widened_floats(p);
  task.scores = task.transposed + transposed_floats(p);
  task.run.peaks = task.scores + kChunkRows * key_block(p.keys);
  task.run.sums = task.run.peaks + height;
  task.run.own = task.run.sums + height;
  task.run.keep = task.run.own + kRowFloats;
  task.run.factors = task.run.keep + kRowFloats;
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
