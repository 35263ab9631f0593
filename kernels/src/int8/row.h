// One row of activations where bytes are multiplied: bound by reading the weights. Some steps of k
// at a time stay in registers, and the weights that meet them are read panel by panel: long runs in
// order, and neither broadcasts nor branches among them.
#pragma once

#include "int8/tile.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(LINNET_ISA_avx512vnni) && !defined(LINNET_SIXTEEN_BITS)

constexpr int kRowSteps = 16;
// Fewer vectors do not pay for loading the steps.
constexpr int kLeastRowVectors = 4;
// Vectors whose sums wait in the first-level cache.
constexpr int kRowVectors = 128;

// Adds the products of steps [k, k + N) to the sums of `count` vectors.
template <int N>
static void add_row_steps(I* sums, const BlockS8& block, int64_t k, int vector, int count) {
  constexpr int kStep = kPanel * kLayout.group;
  constexpr int kWays = N >= 4 ? 4 : 1;
  const int8_t* w = block.weights + vector * block.panel_step + k * kStep;
  I x[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) x[i] = splat_i(load_word(block.a + block.offsets[k + i]));
#pragma GCC unroll 1
  for (; count > 0; --count, ++sums, w += block.panel_step) {
    I part[kWays];
    part[0] = *sums;
#pragma GCC unroll 4
    for (int way = 1; way < kWays; ++way) part[way] = splat_i(0);
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
      part[i % kWays] = dot_u8s8(part[i % kWays], x[i], load_weights(w + i * kStep));
    }
#pragma GCC unroll 4
    for (int way = 1; way < kWays; ++way) part[0] = (I)((U)part[0] + (U)part[way]);
    *sums = part[0];
  }
}

// Steps from k on, N at a time, then what is left.
template <int N>
LINNET_INLINE void add_row(I* sums, const BlockS8& block, int64_t k, int vector, int count) {
  for (; k + N <= block.steps; k += N) add_row_steps<N>(sums, block, k, vector, count);
  if constexpr (N > 1) add_row<N / 2>(sums, block, k, vector, count);
}

// Outputs of vectors [vector, end), NV at a time, then what is left.
template <int NV>
LINNET_INLINE void store_row(const I* sums, const BlockS8& block, int vector, int end) {
  const OutputS8& out = block.output;
  const ByteBounds bounds = byte_bounds(out.zero, out.low, out.high);
  for (; vector + NV <= end; vector += NV, sums += NV) {
    const int channel = vector * kLanes;
    I stored[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      stored[j] = scaled<false>(sums[j], load_f(out.scale + channel + j * kLanes));
    }
    store_s8_clipped(block.y + channel, stored, bounds, block.channels - channel);
  }
  if constexpr (NV > 1) store_row<NV / 2>(sums, block, vector, end);
}

// Vectors [begin, end) where there is one row only; returns where it stopped.
static int row_strips(const BlockS8& block, const StripsS8& strips, int rows, int begin, int end) {
  if (strips.count * rows != 1 || end - begin < kLeastRowVectors) return begin;
  I sums[kRowVectors];
  for (int count; begin < end; begin += count) {
    count = end - begin < kRowVectors ? end - begin : kRowVectors;
    for (int j = 0; j < count; ++j) {
      I start[1][1];
      start_sums(start, block, 0, (begin + j) * kLanes);
      sums[j] = start[0][0];
    }
    add_row<kRowSteps>(sums, block, 0, begin, count);
    store_row<kMaxVectors>(sums, block, begin, begin + count);
  }
  return end;
}

#else

static inline int row_strips(const BlockS8&, const StripsS8&, int, int begin, int) { return begin; }

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
