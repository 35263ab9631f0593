// Attention on bytes: scores and mixtures by the int8 tiles, probabilities of 0..255 with a peak
// for each block of keys.
#pragma once

#include "attention/pack_s8.h"
#include "attention/running.h"
#include "attention/stored.h"
#include "linear/tiles.h"

namespace linnet {
namespace LINNET_ISA {

constexpr float kLog2E = 1.44269504f;

namespace {

// out[row, key] = sum * scale[key].
struct ScoreBody {
  static constexpr bool kStreams = false;

  struct Block {
    BlockS8 tile;
    const int32_t* bias;
    const float* scale;
    float* out;
    int64_t step;
  };

  template <int MR, int NV>
  LINNET_INLINE void start(I (&sum)[MR][NV], const Block& block, int, int channel) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const I bias = load_i(block.bias + channel + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) sum[i][j] = bias;
    }
  }

  template <int MR, int NV>
  LINNET_INLINE void store(const I (&sum)[MR][NV], const Block& block, int row, int channel) {
    float* out = block.out + row * block.step + channel;
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const F scale = load_f(block.scale + channel + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        store_f(out + i * block.step + j * kLanes, to_f(sum[i][j]) * scale);
      }
    }
  }
};

// out[row, d] = out[row, d] * keep[row] + sum * factor[row], whole panels of columns.
struct MixBody {
  static constexpr bool kStreams = false;

  struct Block {
    BlockS8 tile;
    const float* keep;
    const float* factor;
    float* out;
    int64_t step;
  };

  template <int MR, int NV>
  LINNET_INLINE void start(I (&sum)[MR][NV], const Block&, int, int) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) sum[i][j] = splat_i(0);
    }
  }

  template <int MR, int NV>
  LINNET_INLINE void store(const I (&sum)[MR][NV], const Block& block, int row, int channel) {
    float* out = block.out + row * block.step + channel;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i, out += block.step) {
      const F factor = splat_f(block.factor[row + i]), keep = splat_f(block.keep[row + i]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const F before = load_f(out + j * kLanes) * keep;
        store_f(out + j * kLanes, fma(to_f(sum[i][j]), factor, before));
      }
    }
  }
};

}  // namespace

// What a task works with: packed keys and values of one head, and room for a chunk of rows.
struct TaskS8 {
  const int32_t* offsets;
  int8_t* keys;
  int32_t* key_bias;
  float* key_scale;
  int8_t* values;
  float* value_scale;  // per key; once packed, its share: steps of a weight's byte in 1
  float* value_step;   // per block of keys: what a product of bytes stands for
  float* key_mean;
  float* value_mean;
  uint8_t* q;
  float* scores;
  uint8_t* weights;
  float* mixed;   // rows of whole panels
  float* steps;   // per row: scale of its queries
  float* factor;  // per row: what the block's bytes stand for
  RunningRows run;
  int64_t block, q_step, weight_step, mixed_step, key_panel, value_panel, value_panels;
  int64_t batch;
  int64_t kv_head;
};

static TaskS8 task_s8(const AttentionParams& p, void* scratch) {
  const AttentionS8Scratch at = attention_s8_scratch(p, kLayout);
  char* base = static_cast<char*>(scratch);
  const auto floats = [base](int64_t start) { return reinterpret_cast<float*>(base + start); };
  TaskS8 t;
  t.block = byte_block(p.keys);
  t.q_step = row_bytes(p.depth, kLayout);
  t.weight_step = row_bytes(t.block, kLayout);
  t.mixed_step = padded(p.value_depth, kPanel);
  t.key_panel = panel_bytes(1, p.depth, kLayout);
  t.value_panel = panel_bytes(1, t.block, kLayout);
  t.value_panels = t.mixed_step / kPanel;
  t.offsets = reinterpret_cast<int32_t*>(base + at.offsets);
  t.keys = reinterpret_cast<int8_t*>(base + at.keys);
  t.key_bias = reinterpret_cast<int32_t*>(base + at.key_bias);
  t.key_scale = floats(at.key_scale);
  t.values = reinterpret_cast<int8_t*>(base + at.values);
  t.value_scale = floats(at.value_scale);
  t.value_step = floats(at.value_step);
  t.key_mean = floats(at.means);
  t.value_mean = t.key_mean + padded(p.depth, kPanel);
  t.q = reinterpret_cast<uint8_t*>(base + at.q);
  t.scores = floats(at.scores);
  t.weights = reinterpret_cast<uint8_t*>(base + at.weights);
  t.mixed = floats(at.mixed);
  float** const rows[] = {&t.steps,   &t.factor,   &t.run.peaks,  &t.run.sums,
                          &t.run.own, &t.run.keep, &t.run.factors};
  float* next = floats(at.rows);
  for (float** row : rows) {
    *row = next;
    next += kRowFloats;
  }
  t.batch = t.kv_head = -1;
  return t;
}

// Byte weights of one row: round(255 * 2^(score * factor - peak) * v_scale / v_most). Returns the
// powers, to be summed: those too small for a byte count with the mean of the values, which values
// are less.
LINNET_INLINE F weigh(uint8_t* to, const float* scores, int64_t width, float factor, float peak,
                      const float* share) {
  constexpr int kTogether = 4;
  F sum[2] = {splat_f(0.0f), splat_f(0.0f)};
  const F scale = splat_f(factor), shift = splat_f(-peak);
  int64_t j = 0;
  for (; j + kTogether * kLanes <= width; j += kTogether * kLanes) {
    F power[kTogether];
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      power[i] = fma(load_f(scores + j + i * kLanes), scale, shift);
    }
    exp2_rough(power);
    I q[kTogether];
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      q[i] = to_i_round(power[i] * load_f(share + j + i * kLanes));
      sum[i % 2] = sum[i % 2] + power[i];
    }
    store_elements(to + j * kLayout.element, q);
  }
  for (; j < width; j += kLanes) {
    const F power = exp2_rough(fma(load_f(scores + j), scale, shift));
    store_element(to + j * kLayout.element, to_i_round(power * load_f(share + j)));
    sum[0] = sum[0] + power;
  }
  return sum[0] + sum[1];
}

// What the bytes of a block stand for in rows whose peak joined the running ones; own peaks become
// finite.
static void fold_factors(const TaskS8& task, int64_t rows) {
  const F none = splat_f(-kInfinity), zero = splat_f(0.0f);
  for (int64_t i = 0; i < rows; i += kLanes) {
    const F own = load_f(task.run.own + i);
    const F highest = finite_peak(load_f(task.run.peaks + i));
    const F power = select((I)(own == highest), splat_f(1.0f), exp2_rough(own - highest));
    store_f(task.factor + i, select((I)(own == none), zero, power));
    store_f(task.run.own + i, finite_peak(own));
  }
}

static void score_rows(const AttentionParams& p, const TaskS8& task, int rows, int64_t key,
                       int64_t count) {
  ScoreBody::Block score;
  score.tile.a = task.q;
  score.tile.a_step = task.q_step;
  score.tile.offsets = task.offsets;
  score.tile.steps = lane_steps(1, p.depth, kLayout);
  score.tile.panel_step = task.key_panel;
  score.tile.weights = task.keys + key / kPanel * task.key_panel;
  score.bias = task.key_bias + key;
  score.scale = task.key_scale + key;
  score.out = task.scores;
  score.step = task.block;
  body_block<ScoreBody>(score, rows, 0, static_cast<int>((count + kLanes - 1) / kLanes));
}

static void mix_rows(const TaskS8& task, int rows, int64_t block, int64_t count) {
  MixBody::Block mix;
  mix.tile.a = task.weights;
  mix.tile.a_step = task.weight_step;
  mix.tile.offsets = task.offsets;
  mix.tile.steps = lane_steps(1, count, kLayout);
  mix.tile.panel_step = task.value_panel;
  mix.tile.weights = task.values + block * task.value_panels * task.value_panel;
  mix.keep = task.run.keep;
  mix.factor = task.factor;
  mix.out = task.mixed;
  mix.step = task.mixed_step;
  body_block<MixBody>(mix, rows, 0, static_cast<int>(task.mixed_step / kLanes));
}

// One chunk of rows against keys [key, key + count), which are block number `block`.
static void attend_keys(const AttentionParams& p, const TaskS8& task, const HeadRows& rows,
                        int64_t block, int64_t count, bool plain) {
  const int64_t key = block * task.block;
  score_rows(p, task, static_cast<int>(rows.count), key, count);
  find_peaks(p, {rows, task.batch, task.kv_head, key, count, plain}, task.run, task.scores,
             task.block, task.steps, kLog2E);
  fold_peaks(task.run, rows.count, kLog2E);
  fold_factors(task, rows.count);
  const float* scores = task.scores;
  uint8_t* weights = task.weights;
  for (int64_t row = 0; row < rows.count; row += kLanes) {
    F sums[kLanes];
    for (int i = 0; i < kLanes; ++i, scores += task.block, weights += task.weight_step) {
      const int64_t r = row + i;
      sums[i] = r < rows.count ? weigh(weights, scores, count, task.run.factors[r], task.run.own[r],
                                       task.value_scale + key)
                               : splat_f(0.0f);
    }
    const F factor = load_f(task.factor + row);
    store_f(task.run.sums + row, fma(totals_of(sums), factor, load_f(task.run.sums + row)));
    store_f(task.factor + row, factor * splat_f(task.value_step[block]));
  }
  mix_rows(task, static_cast<int>(rows.count), block, count);
}

// out = mixed / sum + mean of the values; zeros for a row that saw no key.
static void finish_row(const AttentionParams& p, float* out, const float* mixed, float sum,
                       const float* mean) {
  const F factor = splat_f(sum > 0.0f ? 1.0f / sum : 0.0f);
  for (int64_t d = 0; d < p.value_depth; d += kLanes) {
    const int64_t left = p.value_depth - d;
    const F base = sum > 0.0f ? load_f(mean + d) : splat_f(0.0f);
    const F value = fma(load_f(mixed + d), factor, base);
    left >= kLanes ? store_f(out + d, value) : store_f(out + d, value, static_cast<int>(left));
  }
}

// One chunk of rows of a task against all keys that they see.
static void attend_rows(const AttentionParams& p, const TaskS8& task, const HeadRows& rows) {
  const int64_t head = task.kv_head * (p.heads / p.kv_heads) + rows.head;
  const float* q = p.q + task.batch * p.q_at.batch + head * p.q_at.head + rows.first * p.q_at.row;
  float* out =
      p.out + task.batch * p.out_at.batch + head * p.out_at.head + rows.first * p.out_at.row;
  const int64_t q_step = row_step(p, p.q_at), out_step = row_step(p, p.out_at);
  query_rows(task.q, task.q_step, task.steps, q, q_step, rows.count, p.depth);
  for (int64_t i = 0; i < kRowFloats; ++i) {
    task.run.peaks[i] = -kInfinity;
    task.run.sums[i] = 0.0f;
  }
  for (int64_t i = 0; i < rows.count * task.mixed_step; i += kLanes) {
    store_f(task.mixed + i, splat_f(0.0f));
  }
  const int64_t last = rows.first + rows.count - 1;
  const int64_t low = last < p.length ? rows.first : 0,
                high = last < p.length ? last : p.length - 1;
  const KeySpan seen = visible_keys(p, task.batch, low, high);
  for (int64_t block = seen.begin / task.block; block * task.block < seen.end; ++block) {
    const int64_t key = block * task.block;
    const int64_t count = seen.end - key < task.block ? seen.end - key : task.block;
    attend_keys(p, task, rows, block, count, is_plain(p, task.batch, low, high, key, count));
  }
  for (int64_t i = 0; i < rows.count; ++i) {
    finish_row(p, out + i * out_step, task.mixed + i * task.mixed_step, task.run.sums[i],
               task.value_mean);
  }
}

// Turns the scales of values into shares of the greatest in each block of keys.
static void share_scales(const TaskS8& task, int64_t keys) {
  for (int64_t key = 0; key < keys; key += task.block) {
    const int64_t count = keys - key < task.block ? keys - key : task.block;
    float* scale = task.value_scale + key;
    for (int64_t j = count; j < padded(count, kLanes); ++j) scale[j] = 0.0f;
    const float most = top_of(peaks_of(scale, count));
    const F factor = splat_f(most > 0.0f ? 255.0f / most : 0.0f);
    for (int64_t j = 0; j < count; j += kLanes) store_f(scale + j, load_f(scale + j) * factor);
    task.value_step[key / task.block] = most / 255.0f;
  }
}

static void pack_head(const AttentionParams& p, TaskS8& task, int64_t batch, int64_t kv_head) {
  if (task.batch == batch && task.kv_head == kv_head) return;
  task.batch = batch;
  task.kv_head = kv_head;
  const float* k = static_cast<const float*>(stored_keys(p, batch, kv_head, 0).data);
  const float* v = static_cast<const float*>(stored_values(p, batch, kv_head, 0).data);
  const int64_t keys = valid_keys(p, batch);
  float* mean = nullptr;
  if (p.softcap <= 0.0f) {
    mean = task.key_mean;
    mean_row(mean, k, p.k_at.row, keys, p.depth);
  }
  pack_keys(task.keys, task.key_bias, task.key_scale, k, p.k_at.row, mean, keys, p.depth);
  mean_row(task.value_mean, v, p.v_at.row, keys, p.value_depth);
  pack_values(task.values, task.value_scale, v, p.v_at.row, task.value_mean, keys, p.value_depth,
              task.block);
  share_scales(task, keys);
}

static void run_attention_s8(const AttentionParams& p, const Worker& worker) {
  if (p.kv_heads == 0 || p.length == 0) return;
  const int64_t rows = p.heads / p.kv_heads * p.length, height = p.task_rows;
  const int64_t parts = (rows + height - 1) / height;
  TaskS8 task = task_s8(p, worker.scratch);
  const int64_t longest = p.depth > task.block ? p.depth : task.block;
  lane_offsets(static_cast<int32_t*>(worker.scratch), 1, longest, 0, 1, 0);
  const Span units = split(p.batch * p.kv_heads * parts, worker);
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    pack_head(p, task, unit / parts / p.kv_heads, unit / parts % p.kv_heads);
    const int64_t begin = unit % parts * height;
    const int64_t end = rows - begin < height ? rows : begin + height;
    for (int64_t row = begin; row < end;) {
      const HeadRows chunk = next_rows(p, row, end, chunk_rows(p));
      attend_rows(p, task, chunk);
      row += chunk.count;
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
