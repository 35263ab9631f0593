// Attention block by block of keys, with a running peak and sum per query row.
#pragma once

#include "attention/blocking.h"
#include "attention/running.h"
#include "attention/stored.h"
#include "float/multiply.h"
#include "float/transpose.h"

namespace linnet {
namespace LINNET_ISA {

// Rows [begin, end) of all query rows that share one key and value head, and room for their work.
struct TaskF32 {
  int64_t batch;
  int64_t kv_head;
  int64_t begin;
  int64_t end;
  float* keys;     // a span's, in panels
  float* widened;  // a panel's keys as float32
  float* copied;   // a span's values
  float* scores;
  RunningRows run;  // peaks and sums of all rows
};

// Keys [begin, end) rearranged, and where their values lie.
struct KeyRange {
  int64_t begin;
  int64_t end;
  const float* values;
  int64_t step;
};

LINNET_INLINE int64_t first_head(const AttentionParams& p, const TaskF32& task) {
  return task.kv_head * (p.heads / p.kv_heads);
}

LINNET_INLINE float* out_rows(const AttentionParams& p, const TaskF32& task, const HeadRows& rows) {
  return p.out + task.batch * p.out_at.batch + (first_head(p, task) + rows.head) * p.out_at.head +
         rows.first * p.out_at.row;
}

// Keys that some of these rows may see.
LINNET_INLINE KeySpan seen_keys(const AttentionParams& p, int64_t batch, const HeadRows& rows) {
  const int64_t last = rows.first + rows.count - 1;
  return last < p.length ? visible_keys(p, batch, rows.first, last)
                         : visible_keys(p, batch, 0, p.length - 1);
}

// Keys of a span as columns in panels.
static void pack_span_keys(const AttentionParams& p, const TaskF32& task, int64_t begin,
                           int64_t end) {
  float* panel = task.keys;
  for (int64_t key = begin; key < end; key += kPanel, panel += kPanel * p.depth) {
    const StoredRows rows = stored_keys(p, task.batch, task.kv_head, key);
    const int64_t count = end - key < kPanel ? end - key : kPanel;
    const float* from = static_cast<const float*>(rows.data);
    int64_t step = rows.step;
    if (p.stored != Stored::kFloat32) {
      step = copied_step(p.depth);
      by_storage<Widen>(p.stored, rows, count, p.depth, task.widened, step);
      from = task.widened;
    }
    transpose(from, step, panel, kPanel, count, p.depth);
  }
}

// Rearranges a span. Values are read where they lie if that is next to each other as float32, or
// only once.
static KeyRange pack_span(const AttentionParams& p, const TaskF32& task, int64_t begin,
                          int64_t end) {
  pack_span_keys(p, task, begin, end);
  const StoredRows rows = stored_values(p, task.batch, task.kv_head, begin);
  const bool once = task.end - task.begin <= chunk_rows(p);
  if (p.stored == Stored::kFloat32 && (once || rows.step == p.value_depth)) {
    return {begin, end, static_cast<const float*>(rows.data), rows.step};
  }
  const int64_t step = copied_step(p.value_depth);
  by_storage<Widen>(p.stored, rows, end - begin, p.value_depth, task.copied, step);
  return {begin, end, task.copied, step};
}

// One chunk of rows, of which `run` has the peaks and sums, against `count` keys from `key` on.
static void attend_block(const AttentionParams& p, const TaskF32& task, const RunningRows& run,
                         const HeadRows& rows, const KeyRange& range, int64_t key, int64_t count,
                         bool first) {
  const int64_t stride = key_block(p.keys);
  ProductF32 score{}, mix{};
  score.a = p.q + task.batch * p.q_at.batch + (first_head(p, task) + rows.head) * p.q_at.head +
            rows.first * p.q_at.row;
  score.lda = row_step(p, p.q_at);
  score.b = task.keys + (key - range.begin) * p.depth;
  score.c = task.scores;
  score.ldc = stride;
  score.depth = p.depth;
  score.layout = LayoutF32::kPanels;
  mix.a = task.scores;
  mix.lda = stride;
  mix.b = range.values + (key - range.begin) * range.step;
  mix.ldb = range.step;
  mix.c = out_rows(p, task, rows);
  mix.ldc = row_step(p, p.out_at);
  mix.depth = count;
  mix.layout = LayoutF32::kRows;
  mix.adds = !first;
  score.low = mix.low = -kInfinity;
  score.high = mix.high = kInfinity;
  multiply(score, rows.count, 0, count);
  const int64_t last = rows.first + rows.count - 1;
  const bool plain = is_plain(p, task.batch, last < p.length ? rows.first : 0,
                              last < p.length ? last : p.length - 1, key, count);
  find_peaks(p, {rows, task.batch, task.kv_head, key, count, plain}, run, task.scores, stride,
             nullptr, 1.0f);
  fold_peaks(run, rows.count, 1.0f);
  weigh_rows(run, rows.count, task.scores, stride, count);
  for (int64_t i = 0; i < rows.count && !first; ++i) {
    if (run.keep[i] != 1.0f) scale_row(mix.c + i * mix.ldc, p.value_depth, run.keep[i]);
  }
  multiply(mix, rows.count, 0, p.value_depth);
}

// All rows of a task against the keys of a span that they see.
static void attend_span(const AttentionParams& p, const TaskF32& task, const KeyRange& range) {
  const int64_t step = key_block(p.keys);
  for (int64_t row = task.begin; row < task.end;) {
    const HeadRows rows = next_rows(p, row, task.end, chunk_rows(p));
    const KeySpan seen = seen_keys(p, task.batch, rows);
    const int64_t start = seen.begin / step * step;
    const int64_t end = seen.end < range.end ? seen.end : range.end;
    RunningRows run = task.run;
    run.peaks += row - task.begin, run.sums += row - task.begin;
    for (int64_t key = start > range.begin ? start : range.begin; key < end; key += step) {
      const int64_t count = end - key < step ? end - key : step;
      attend_block(p, task, run, rows, range, key, count, key == start);
    }
    row += rows.count;
  }
}

// Divides rows by the sums of their weights; rows that saw no key become zeros.
static void finish_rows(const AttentionParams& p, const TaskF32& task) {
  for (int64_t row = task.begin; row < task.end;) {
    const HeadRows rows = next_rows(p, row, task.end, task.end - task.begin);
    const float* sums = task.run.sums + (row - task.begin);
    float* out = out_rows(p, task, rows);
    for (int64_t i = 0; i < rows.count; ++i, out += row_step(p, p.out_at)) {
      if (sums[i] != 0.0f) {
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
  const HeadRows all = {0, task.begin % p.length, task.end - task.begin};
  const KeySpan seen = seen_keys(p, task.batch, all);
  const int64_t step = key_block(p.keys), span = key_span(p.keys);
  for (int64_t key = seen.begin / step * step; key < seen.end; key += span) {
    const int64_t end = seen.end - key < span ? seen.end : key + span;
    attend_span(p, task, pack_span(p, task, key, end));
  }
  finish_rows(p, task);
}

static void run_attention(const AttentionParams& p, const Worker& worker) {
  if (p.kv_heads == 0 || p.length == 0) return;
  const int64_t rows = p.heads / p.kv_heads * p.length, height = p.task_rows;
  const int64_t blocks = (rows + height - 1) / height;
  const AttentionF32Scratch at = attention_f32_scratch(p);
  float* scratch = static_cast<float*>(worker.scratch);
  TaskF32 task;
  task.keys = scratch + at.keys;
  task.widened = scratch + at.widened;
  task.copied = scratch + at.values;
  task.scores = scratch + at.scores;
  task.run.peaks = scratch + at.peaks;
  task.run.sums = scratch + at.sums;
  task.run.own = scratch + at.rows;
  task.run.keep = task.run.own + kRowFloats;
  task.run.factors = task.run.keep + kRowFloats;
  // By turns: later rows may see more keys.
  const int64_t units = p.batch * p.kv_heads * blocks;
  for (int64_t unit = worker.thread; unit < units; unit += worker.threads) {
    task.batch = unit / blocks / p.kv_heads;
    task.kv_head = unit / blocks % p.kv_heads;
    task.begin = unit % blocks * height;
    task.end = rows - task.begin < height ? rows : task.begin + height;
    attend(p, task);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
