// Sizes of the blocks that attention walks in, shared by the kernel and its binding.
#pragma once

#include "attention/params.h"

namespace linnet {

// Query rows between two looks at a block of keys: a multiple of every tile's height, whose scores
// stay in the L1 cache.
constexpr int64_t kChunkRows = 24;

// Keys per block, in even blocks of at most 128: 32 KiB of keys of depth 64.
static inline int64_t key_block(int64_t keys) {
  const int64_t blocks = (keys + 127) / 128;
  return blocks == 0 ? 16 : ((keys + blocks - 1) / blocks + 15) / 16 * 16;
}

// Query rows of a task, those of all heads of a group counted as one sequence. Each task
// transposes all keys, so it should be tall, but some 16 tasks should be left to share.
static inline int64_t task_rows(const AttentionF32Params& p) {
  const int64_t rows = p.heads / p.kv_heads * p.length;
  const int64_t share = rows * p.batch * p.kv_heads / 16;
  const int64_t wanted = (share + kChunkRows - 1) / kChunkRows * kChunkRows;
  return wanted < kChunkRows ? kChunkRows : wanted > 240 ? 240 : wanted;
}

// Scratch: a transposed block of keys, the scores of a chunk, a peak and a sum per row.
static inline int64_t transposed_floats(const AttentionF32Params& p) {
  return p.depth * key_block(p.keys) + 16;
}

static inline int64_t attention_floats(const AttentionF32Params& p) {
  return transposed_floats(p) + kChunkRows * key_block(p.keys) + 2 * task_rows(p);
}

}  // namespace linnet
