// Sizes of the blocks that attention walks in, shared by the kernels and their binding.
#pragma once

#include "attention/params.h"
#include "int8/layout.h"

namespace linnet {

// Query rows between two looks at a block of keys: a multiple of every tile's height. Each row of a
// chunk meets the keys that its last one sees, so that chunks are low where later rows see more.
constexpr int64_t kChunkRows = 48;

static inline int64_t chunk_rows(const AttentionParams& p) {
  return p.causal ? kChunkRows / 2 : kChunkRows;
}

// Keys per block, in even blocks of at most `most`.
static inline int64_t even_block(int64_t keys, int64_t most) {
  const int64_t blocks = (keys + most - 1) / most;
  return blocks == 0 ? 16 : ((keys + blocks - 1) / blocks + 15) / 16 * 16;
}

// Blocks whose scores leave room in the L1 cache.
static inline int64_t key_block(int64_t keys) { return even_block(keys, 256); }

// Keys per block where products are computed on bytes: weights are rounded to 1/255 of the greatest
// in a block, so blocks are small.
static inline int64_t byte_block(int64_t keys) { return even_block(keys, 128); }

// Query rows of a task. Each task rearranges all keys, so it should be tall, and threads should
// have as many tasks each; where rows see ever more keys, tasks are short, for turns to even them
// out.
constexpr int64_t kMostRows = 1008;

static inline int64_t task_rows(const AttentionParams& p, int threads) {
  const int64_t rows = p.heads / p.kv_heads * p.length;
  const int64_t groups = p.batch * p.kv_heads;
  int64_t parts = 1;
  while (groups * parts % threads != 0) ++parts;
  if (parts > 1 && p.causal) parts = (6 * threads + groups - 1) / groups;
  const int64_t wanted = (rows + parts - 1) / parts;
  const int64_t chunk = chunk_rows(p), whole = (wanted + chunk - 1) / chunk * chunk;
  return whole > kMostRows ? kMostRows : whole < chunk ? chunk : whole;
}

// Rows of a chunk, padded to every ISA's vectors.
constexpr int64_t kRowFloats = 64;

// Keys that the float kernel rearranges at a time: whole blocks, which stay in the L2 cache.
static inline int64_t key_span(int64_t keys) {
  const int64_t block = key_block(keys), most = keys < 512 ? keys : 512;
  return (most + block - 1) / block * block;
}

// Floats between rows of keys or values that were copied.
static inline int64_t copied_step(int64_t depth) { return padded(depth, kPanel); }

// Scratch of the float kernel: a span of keys in panels, a panel's keys as float32, a span of
// values, the scores of a chunk, a peak and a sum per row, three numbers for each row of a chunk.
struct AttentionF32Scratch {
  int64_t keys, widened, values, scores, peaks, sums, rows, floats;
};

static inline AttentionF32Scratch attention_f32_scratch(const AttentionParams& p) {
  const int64_t span = key_span(p.keys);
  AttentionF32Scratch s;
  s.keys = 0;
  s.widened = s.keys + span * p.depth + kPanel;
  s.values = s.widened + kPanel * copied_step(p.depth) + kPanel;
  s.scores = s.values + span * copied_step(p.value_depth) + kPanel;
  s.peaks = s.scores + kChunkRows * key_block(p.keys);
  s.sums = s.peaks + p.task_rows;
  s.rows = s.sums + p.task_rows;
  s.floats = s.rows + 3 * kRowFloats;
  return s;
}

// Where a key and value head has few query rows, blocks of so many keys are read in place.
constexpr int64_t kFewRows = 8;
constexpr int64_t kFewKeys = 256;

static inline bool has_few_rows(const AttentionParams& p) {
  return p.heads / p.kv_heads * p.length <= kFewRows;
}
static inline int64_t few_blocks(const AttentionParams& p) {
  return (p.keys + kFewKeys - 1) / kFewKeys;
}

// Floats that a block of keys makes of a row, and scratch for the scores of a block.
static inline int64_t few_floats(const AttentionParams& p) {
  return padded(p.value_depth, kPanel) + kPanel;
}
static inline int64_t few_scratch_floats() { return kFewRows * kFewKeys + 5 * kRowFloats; }

// Scratch of the int8 kernel, in bytes from its start. Keys and values of one head are packed as
// the int8 family's weights: keys as columns in panels of 16, values as rows of panels.
struct AttentionS8Scratch {
  int64_t offsets, keys, key_bias, key_scale, values, value_scale, value_step, means, q, scores,
      weights, mixed, rows, bytes;
};

static inline AttentionS8Scratch attention_s8_scratch(const AttentionParams& p,
                                                      const LayoutS8& layout) {
  const int64_t block = byte_block(p.keys), blocks = (p.keys + block - 1) / block;
  const int64_t keys = blocks * block;
  const int64_t steps = lane_steps(1, p.depth > block ? p.depth : block, layout);
  AttentionS8Scratch s;
  int64_t at = 0;
  const auto take = [&at](int64_t bytes) {
    const int64_t start = at;
    at = padded(at + bytes + 64, 64);
    return start;
  };
  s.offsets = take(offset_bytes(steps));
  s.keys = take(keys / kPanel * panel_bytes(1, p.depth, layout));
  s.key_bias = take(keys * 4);
  s.key_scale = take(keys * 4);
  s.values = take(padded(p.value_depth, kPanel) / kPanel * blocks * panel_bytes(1, block, layout));
  s.value_scale = take(keys * 4);
  s.q = take(kChunkRows * row_bytes(p.depth, layout) + 64);
  s.scores = take(kChunkRows * block * 4);
  s.weights = take(kChunkRows * row_bytes(block, layout) + 64);
  s.value_step = take(blocks * 4);
  s.means = take((padded(p.depth, kPanel) + padded(p.value_depth, kPanel)) * 4);
  s.mixed = take(kChunkRows * padded(p.value_depth, kPanel) * 4);
  s.rows = take(7 * kRowFloats * 4);
  s.bytes = at;
  return s;
}

}  // namespace linnet
