// Strips of int8 tiles whose sums begin and end as a body says.
//
// A body has a type Block with a member `tile` (BlockS8), and start(sum, block, row, channel) and
// store(sum, block, row, channel) for sums of MR rows and NV vectors. With kStreams its weights
// come from beyond the L2 cache: each tile fetches a part of those that the next strip reads.
#pragma once

#include "int8/gather.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int64_t kLine = 64;

// Fetches a part of the next strip's weights, a line every second step.
struct FetchAhead {
  const int8_t* from;
  __attribute__((always_inline)) void operator()(int64_t k) const {
    prefetch_second(from + k / 2 * kLine);
  }
};

template <class Body, int MR, int NV>
static __attribute__((noinline)) void body_tiles(const typename Body::Block& block, int row,
                                                 int count, int vector) {
  const int8_t* next =
      block.tile.weights + (vector + NV) / kVectorsPerPanel * block.tile.panel_step;
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR) {
    I sum[MR][NV];
    Body::start(sum, block, row, vector * kLanes);
    if constexpr (Body::kStreams) {
      add_products(sum, block.tile, row, vector,
                   FetchAhead{next + row / MR * (block.tile.steps / 2) * kLine});
    } else {
      add_products(sum, block.tile, row, vector);
    }
    Body::store(sum, block, row, vector * kLanes);
  }
}

template <class Body, int MR, int NV>
static void body_rows(int height, const typename Body::Block& block, int row, int count,
                      int vector) {
  if (height == MR) {
    body_tiles<Body, MR, NV>(block, row, count, vector);
  } else if constexpr (MR > 1) {
    body_rows<Body, MR - 1, NV>(height, block, row, count, vector);
  }
}

template <class Body, int NV>
static void body_strip(const typename Body::Block& block, int rows, int vector) {
  constexpr int kMost = most_rows(NV);
  const int tiles = (rows + kMost - 1) / kMost;
  const int height = rows / tiles, taller = rows % tiles;
  if (taller > 0) body_rows<Body, kMost, NV>(height + 1, block, 0, taller, vector);
  const int done = taller * (height + 1);
  body_rows<Body, kMost, NV>(height, block, done, tiles - taller, vector);
}

// Rows [0, rows), at least one, against vectors [begin, end).
template <class Body>
static void body_block(const typename Body::Block& block, int rows, int begin, int end) {
  for (int vector = begin; vector < end;) {
    const int vectors = next_vectors(end - vector);
    if constexpr (kMaxVectors == 4) {
      if (vectors == 4) body_strip<Body, 4>(block, rows, vector);
      if (vectors == 3) body_strip<Body, 3>(block, rows, vector);
    }
    if (vectors == 2) body_strip<Body, 2>(block, rows, vector);
    if (vectors == 1) body_strip<Body, 1>(block, rows, vector);
    vector += vectors;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
