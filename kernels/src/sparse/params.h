// Parameters of products with block-sparse weights.
#pragma once

#include "core/kernel.h"

namespace linnet {

// A block is the weights of 16 outputs for 4 consecutive k; blocks of zeros are not stored.
constexpr int64_t kBlockOutputs = 16;
constexpr int64_t kBlockDepth = 4;

// y[m, n] = clamp(bias[n] + sum over the stored blocks of panel n / 16, in order, and their four k
// of x[m, k] * w[n, k], low, high). Panel g has the blocks starts[g] .. starts[g + 1] - 1; block i
// starts at k = index[i] (ascending in a panel, index[i] + 4 <= depth) and has its weights at
// blocks + 64 i, k by k. `bias` is null or padded to whole panels. The sums run over k ascending in
// one chain per element, so they equal the dense product's wherever x is finite.
struct SparseF32Params {
  const float* x;
  const float* blocks;
  const int32_t* index;
  const int64_t* starts;
  const float* bias;
  float* y;
  int64_t rows;
  int64_t depth;
  int64_t columns;
  float low;
  float high;
};

}  // namespace linnet
