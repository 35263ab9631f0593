// Block-sparse products: a tile of some rows and one panel of 16 outputs in registers.
#pragma once

#include "simd/simd.h"
#include "sparse/params.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kSparseVectors = static_cast<int>(kBlockOutputs) / kLanes;
// Rows whose sums fit the vector registers beside the weights and one value of x.
constexpr int kSparseRows = kLanes == 16 ? 12 : kLanes == 8 ? 6 : 2;

template <int MR>
static void sparse_tile(const SparseF32Params& p, int64_t row, int64_t panel) {
  // Every third row has an address; the others are one or two strides behind it.
  constexpr int kBases = (MR + 2) / 3;
  const ptrdiff_t stride = p.depth;
  const float* x[kBases];
  F acc[MR][kSparseVectors];
  const int64_t first = panel * kBlockOutputs;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    if (i % 3 == 0) x[i / 3] = p.x + (row + i) * p.depth;
#pragma GCC unroll 4
    for (int j = 0; j < kSparseVectors; ++j) {
      acc[i][j] = p.bias != nullptr ? load_f(p.bias + first + j * kLanes) : splat_f(0.0f);
    }
  }
  const float* w = p.blocks + p.starts[panel] * kBlockOutputs * kBlockDepth;
  for (int64_t b = p.starts[panel]; b < p.starts[panel + 1]; ++b) {
    const float* at[kBases];
#pragma GCC unroll 4
    for (int i = 0; i < kBases; ++i) at[i] = x[i] + p.index[b];
#pragma GCC unroll 4
    for (int k = 0; k < kBlockDepth; ++k, w += kBlockOutputs) {
      F columns[kSparseVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kSparseVectors; ++j) columns[j] = load_f(w + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const F value = splat_f(at[i / 3][i % 3 * stride + k]);
#pragma GCC unroll 4
        for (int j = 0; j < kSparseVectors; ++j) acc[i][j] = fma(value, columns[j], acc[i][j]);
      }
    }
  }
  const F low = splat_f(p.low), high = splat_f(p.high);
  const int64_t count = p.columns - first < kBlockOutputs ? p.columns - first : kBlockOutputs;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    float* y = p.y + (row + i) * p.columns + first;
#pragma GCC unroll 4
    for (int j = 0; j < kSparseVectors; ++j) {
      const int rest = static_cast<int>(count) - j * kLanes;
      const F made = min_f(high, max_f(low, acc[i][j]));
      if (rest >= kLanes) {
        store_f(y + j * kLanes, made);
      } else if (rest > 0) {
        store_f(y + j * kLanes, made, rest);
      }
    }
  }
}

// Work items are the panels of one tile of rows after the other: the rows stay in the first cache,
// the weights come in order.
static void run_sparse(const SparseF32Params& p, const Worker& worker) {
  const int64_t tiles = (p.rows + kSparseRows - 1) / kSparseRows;
  const int64_t panels = (p.columns + kBlockOutputs - 1) / kBlockOutputs;
  const Span part = split(tiles * panels, worker);
  for (int64_t item = part.begin; item < part.end; ++item) {
    const int64_t row = item / panels * kSparseRows, panel = item % panels;
    if (p.rows - row >= kSparseRows) {
      sparse_tile<kSparseRows>(p, row, panel);
    } else {
      int64_t i = row;
      for (; i + 4 <= p.rows; i += 4) sparse_tile<4>(p, i, panel);
      for (; i < p.rows; ++i) sparse_tile<1>(p, i, panel);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
