// Walks down decision trees, eight at a time: the loads of one do not wait for those of another.
#pragma once

#include <string.h>

#include "simd/simd.h"
#include "trees/params.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kWalkers = 8;
// Tests that are done before it pays to look whether any are left.
constexpr int32_t kSure = 6;

static bool holds(uint32_t mode, float x, float value) {
  switch (mode) {
    case kTreeAtMost:
      return x <= value;
    case kTreeBelow:
      return x < value;
    case kTreeAtLeast:
      return x >= value;
    case kTreeAbove:
      return x > value;
    case kTreeEqual:
      return x == value;
    default:
      return x != value;
  }
}

static bool all_at_leaves(const TreesParams& p, const int32_t* at) {
  uint32_t tests = 0;
  for (int j = 0; j < kWalkers; ++j) tests |= p.nodes[at[j]].test;
  return tests == 0;
}

// Takes every walker down by `depth` tests, fewer where all come to leaves before: trees that grew
// leaf by leaf have a few deep ones. MODE is that of all tests, 0 where they differ.
template <uint32_t MODE, bool MISSING>
static void descend(const TreesParams& p, const float* const* x, int32_t depth, int32_t* at) {
  for (int32_t step = 0; step < depth; ++step) {
    if (step >= kSure && step % 2 == 0 && all_at_leaves(p, at)) return;
#pragma GCC unroll 8
    for (int j = 0; j < kWalkers; ++j) {
      const TreeNode& node = p.nodes[at[j]];
      const float found = x[j][node.test & 0xffffff];
      bool yes = holds(MODE != 0 ? MODE : node.test >> 24 & 127, found, node.value);
      if (MISSING) yes |= (found != found) & (node.test >> 31);
      at[j] = node.child[yes];
    }
  }
}

using DescendFn = void (*)(const TreesParams&, const float* const*, int32_t, int32_t*);

static DescendFn descend_of(const TreesParams& p) {
  if (p.mode == kTreeAtMost) return p.missing ? descend<1, true> : descend<1, false>;
  if (p.mode == kTreeBelow) return p.missing ? descend<2, true> : descend<2, false>;
  return p.missing ? descend<0, true> : descend<0, false>;
}

static void take_leaf(const TreesParams& p, int32_t at, double* sums) {
  uint32_t leaf;
  memcpy(&leaf, &p.nodes[at].value, sizeof leaf);
  const float* weights = p.leaves + (int64_t)leaf * p.targets;
  for (int64_t t = 0; t < p.targets; ++t) {
    const double weight = weights[t];
    if (p.join == kTreeMin) {
      sums[t] = weight < sums[t] ? weight : sums[t];
    } else if (p.join == kTreeMax) {
      sums[t] = weight > sums[t] ? weight : sums[t];
    } else {
      sums[t] += weight;
    }
  }
}

static void begin_sums(const TreesParams& p, double* sums, int64_t count) {
  const double first = p.join == kTreeMin   ? __builtin_inf()
                       : p.join == kTreeMax ? -__builtin_inf()
                                            : 0.0;
  for (int64_t i = 0; i < count; ++i) sums[i] = first;
}

static void end_sums(const TreesParams& p, const double* sums, int64_t row, int64_t rows) {
  const double whole = p.join == kTreeAverage ? (double)p.trees : 1.0;
  float* y = p.y + row * p.targets;
  for (int64_t i = 0; i < rows * p.targets; ++i) y[i] = (float)(sums[i] / whole);
}

// Up to eight rows, tree by tree.
static void walk_rows(const TreesParams& p, DescendFn down, int64_t row, int64_t rows,
                      double* sums) {
  const float* x[kWalkers];
  for (int64_t j = 0; j < kWalkers; ++j) {
    x[j] = p.x + (row + (j < rows ? j : 0)) * p.features;
  }
  begin_sums(p, sums, rows * p.targets);
  for (int64_t tree = 0; tree < p.trees; ++tree) {
    int32_t at[kWalkers];
    for (int j = 0; j < kWalkers; ++j) at[j] = p.roots[tree];
    down(p, x, p.depths[tree], at);
    for (int64_t j = 0; j < rows; ++j) take_leaf(p, at[j], sums + j * p.targets);
  }
  end_sums(p, sums, row, rows);
}

// One row, eight trees at a time.
static void walk_row(const TreesParams& p, DescendFn down, int64_t row, double* sums) {
  const float* x[kWalkers];
  for (int j = 0; j < kWalkers; ++j) x[j] = p.x + row * p.features;
  begin_sums(p, sums, p.targets);
  for (int64_t tree = 0; tree < p.trees; tree += kWalkers) {
    int32_t at[kWalkers], depth = 0;
    for (int64_t j = 0; j < kWalkers; ++j) {
      const int64_t mine = tree + j < p.trees ? tree + j : tree;
      at[j] = p.roots[mine];
      depth = p.depths[mine] > depth ? p.depths[mine] : depth;
    }
    down(p, x, depth, at);
    for (int64_t j = 0; j < kWalkers && tree + j < p.trees; ++j) take_leaf(p, at[j], sums);
  }
  end_sums(p, sums, row, 1);
}

static void run_trees(const TreesParams& p, const Worker& worker) {
  const Span mine = split(p.rows, worker, kWalkers);
  const DescendFn down = descend_of(p);
  double* sums = static_cast<double*>(worker.scratch);
  int64_t row = mine.begin;
  while (row < mine.end) {
    const int64_t left = mine.end - row;
    if (left > kWalkers / 2) {
      const int64_t rows = left < kWalkers ? left : kWalkers;
      walk_rows(p, down, row, rows, sums);
      row += rows;
    } else {
      walk_row(p, down, row++, sums);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
