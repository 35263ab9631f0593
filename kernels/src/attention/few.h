// Attention of few query rows over many keys, which are read where they lie: a result for each
// block of keys, then all of them joined. Blocks are the same whatever the number of threads.
#pragma once

#include "attention/running.h"
#include "attention/stored.h"

namespace linnet {
namespace LINNET_ISA {

namespace {

// scores[row][key] = q[row] . k[key] for `rows` rows and `count` keys.
struct ScoreInPlace {
  template <Stored kStored>
  static void run(const StoredRows& k, const float* q, int64_t q_step, int64_t rows, int64_t count,
                  int64_t depth, float* scores) {
    const int64_t whole = depth / kLanes * kLanes;
    const int rest = static_cast<int>(depth - whole);
    for (int64_t key = 0; key < count; key += kLanes) {
      const int some = static_cast<int>(count - key < kLanes ? count - key : kLanes);
      for (int64_t row = 0; row < rows; ++row) {
        const float* own = q + row * q_step;
        F sums[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          F sum = splat_f(0.0f);
          for (int64_t d = 0; i < some && d < whole; d += kLanes) {
            sum = fma(load_f(own + d), load_stored<kStored>(k, key + i, d), sum);
          }
          if (i < some && rest > 0) {
            const F last = load_stored<kStored>(k, key + i, whole);
            const I inside = lane_numbers() < splat_i(rest);
            sum = fma(load_f(own + whole, rest), select(inside, last, splat_f(0.0f)), sum);
          }
          sums[i] = sum;
        }
        const F total = totals_of(sums);
        const F scale = k.scale != nullptr ? load_f(k.scale + key) : splat_f(1.0f);
        store_f(scores + row * kFewKeys + key, total * scale);
      }
    }
  }
};

// out[row] = sum of weights[row][key] * v[key] over `count` keys.
struct MixInPlace {
  template <Stored kStored, int kVectors>
  static void columns(const StoredRows& v, const float* weights, int64_t count, int64_t first,
                      float* out) {
    F sum[kVectors];
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) sum[c] = splat_f(0.0f);
    for (int64_t key = 0; key < count; ++key) {
      const F weight = splat_f(weights[key]);
#pragma GCC unroll 4
      for (int c = 0; c < kVectors; ++c) {
        sum[c] = fma(weight, load_stored<kStored>(v, key, first + c * kLanes), sum[c]);
      }
    }
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) store_f(out + first + c * kLanes, sum[c]);
  }

  template <Stored kStored>
  static void run(const StoredRows& v, float* weights, int64_t rows, int64_t count, int64_t depth,
                  float* out, int64_t out_step) {
    for (int64_t row = 0; row < rows; ++row) {
      float* own = weights + row * kFewKeys;
      for (int64_t key = 0; v.scale != nullptr && key < count; key += kLanes) {
        store_f(own + key, load_f(own + key) * load_f(v.scale + key));
      }
      int64_t d = 0;
      for (; d + 3 * kLanes < depth; d += 4 * kLanes) {
        columns<kStored, 4>(v, own, count, d, out + row * out_step);
      }
      for (; d < depth; d += kLanes) columns<kStored, 1>(v, own, count, d, out + row * out_step);
    }
  }
};

}  // namespace

// What a block of keys makes of a row: the mixture, then its peak and sum.
struct FewRow {
  float* mixed;
  float* peak;
  float* sum;
};

static FewRow few_row(const AttentionParams& p, int64_t unit, int64_t row) {
  const int64_t rows = p.heads / p.kv_heads * p.length, width = few_floats(p);
  float* first = p.partials + (unit * rows + row) * width;
  return {first, first + width - 2, first + width - 1};
}

// Query rows `rows` of one key and value head over keys [key, key + count).
static void attend_few(const AttentionParams& p, const ChunkOfKeys& chunk, int64_t unit,
                       float* scratch) {
  float* scores = scratch;
  RunningRows run;
  float** const parts[] = {&run.peaks, &run.sums, &run.own, &run.keep, &run.factors};
  float* next = scores + kFewRows * kFewKeys;
  for (float** part : parts) {
    *part = next;
    next += kRowFloats;
  }
  const int64_t count = chunk.rows.count;
  for (int64_t i = 0; i < count; ++i) run.peaks[i] = -kInfinity, run.sums[i] = 0.0f;
  const int64_t head = chunk.kv_head * (p.heads / p.kv_heads) + chunk.rows.head;
  const float* q =
      p.q + chunk.batch * p.q_at.batch + head * p.q_at.head + chunk.rows.first * p.q_at.row;
  by_storage<ScoreInPlace>(p.stored, stored_keys(p, chunk.batch, chunk.kv_head, chunk.key), q,
                           row_step(p, p.q_at), count, chunk.count, p.depth, scores);
  find_peaks(p, chunk, run, scores, kFewKeys, nullptr, 1.0f);
  fold_peaks(run, count, 1.0f);
  weigh_rows(run, count, scores, kFewKeys, chunk.count);
  const int64_t row = chunk.rows.head * p.length + chunk.rows.first;
  by_storage<MixInPlace>(p.stored, stored_values(p, chunk.batch, chunk.kv_head, chunk.key), scores,
                         count, chunk.count, p.value_depth, few_row(p, unit, row).mixed,
                         few_floats(p));
  for (int64_t i = 0; i < count; ++i) {
    const FewRow one = few_row(p, unit, row + i);
    *one.peak = run.peaks[i];
    *one.sum = run.sums[i];
  }
}

static void run_attention_few(const AttentionParams& p, const Worker& worker) {
  const int64_t blocks = few_blocks(p), rows = p.heads / p.kv_heads * p.length;
  const Span units = split(p.batch * p.kv_heads * blocks, worker);
  for (int64_t unit = units.begin; unit < units.end; ++unit) {
    const int64_t batch = unit / blocks / p.kv_heads, key = unit % blocks * kFewKeys;
    const KeySpan seen = visible_keys(p, batch, 0, p.length - 1);
    const int64_t left = seen.end - key, count = left < kFewKeys ? left : kFewKeys;
    if (count <= 0 || key + count <= seen.begin) {
      for (int64_t row = 0; row < rows; ++row) *few_row(p, unit, row).sum = 0.0f;
      continue;
    }
    const bool plain = is_plain(p, batch, 0, p.length - 1, key, count);
    for (int64_t row = 0; row < rows;) {
      const HeadRows part = next_rows(p, row, rows, kFewRows);
      attend_few(p, {part, batch, unit / blocks % p.kv_heads, key, count, plain}, unit,
                 static_cast<float*>(worker.scratch));
      row += part.count;
    }
  }
}

// Joins the blocks of one row.
static void join_row(const AttentionParams& p, int64_t first, int64_t row, float* out) {
  const int64_t blocks = few_blocks(p);
  float peak = -kInfinity, sum = 0.0f;
  for (int64_t b = 0; b < blocks; ++b) {
    const FewRow part = few_row(p, first + b, row);
    if (*part.sum != 0.0f && *part.peak > peak) peak = *part.peak;
  }
  float factors[kLanes];
  for (int64_t d = 0; d < p.value_depth; ++d) out[d] = 0.0f;
  for (int64_t b = 0; b < blocks; ++b) {
    const FewRow part = few_row(p, first + b, row);
    if (*part.sum == 0.0f) continue;
    const F share =
        *part.peak == peak ? splat_f(1.0f) : exp_of_negative(splat_f(*part.peak - peak));
    store_f(factors, share);
    sum += *part.sum * factors[0];
    for (int64_t d = 0; d < p.value_depth; d += kLanes) {
      const int lanes = static_cast<int>(p.value_depth - d < kLanes ? p.value_depth - d : kLanes);
      const F more = fma(load_f(part.mixed + d), share, load_f(out + d, lanes));
      store_f(out + d, more, lanes);
    }
  }
  if (sum != 0.0f) scale_row(out, p.value_depth, 1.0f / sum);
}

static void run_attention_join(const AttentionParams& p, const Worker& worker) {
  const int64_t rows = p.heads / p.kv_heads * p.length, blocks = few_blocks(p);
  const Span mine = split(p.batch * p.kv_heads * rows, worker);
  for (int64_t at = mine.begin; at < mine.end; ++at) {
    const int64_t group = at / rows, row = at % rows;
    const int64_t head = group % p.kv_heads * (p.heads / p.kv_heads) + row / p.length;
    float* out = p.out + group / p.kv_heads * p.out_at.batch + head * p.out_at.head +
                 row % p.length * p.out_at.row;
    join_row(p, group * blocks, row, out);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
