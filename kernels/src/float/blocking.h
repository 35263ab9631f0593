// Sizes of the blocks that float products walk in, shared by the kernels and their binding.
#pragma once

#include "float/params.h"

namespace linnet {

// k-steps per pass over a tile: 16 floats of B per step stay in the L1 or L2 cache.
constexpr int64_t kDepthBlockF32 = 512;

// Columns of B that are packed at a time at run time (a multiple of every ISA's tile width).
constexpr int64_t kPackColumnsF32 = 48;

// Rows of A that one pass over B serves: 256 KiB of them, which stay in the L2 cache while B
// streams by; 32 KiB where B itself stays there.
static inline int64_t row_block_f32(int64_t depth, int64_t columns) {
  const bool small = depth * columns <= 32768;
  const int64_t rows = (small ? 8192 : 65536) / (depth > 0 ? depth : 1) / 24 * 24;
  const int64_t least = small ? 24 : 48;
  return rows < least ? least : rows > 480 ? 480 : rows;
}

// Distance of gathered rows in floats: never near a multiple of 1024, which would put a column of
// a tile into one set of the L1 cache.
static inline int64_t gathered_stride_f32(int64_t depth) {
  const int64_t padded = (depth + 15) / 16 * 16;
  return padded % 256 == 0 ? padded + 16 : padded;
}

// Floats that `rows` gathered rows occupy; copies run over a row's end by less than 16 floats.
static inline int64_t gathered_floats_f32(int64_t rows, int64_t depth) {
  return rows * gathered_stride_f32(depth) + 16;
}

}  // namespace linnet
