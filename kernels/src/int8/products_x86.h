// Products of activations and packed weights on x86: what tile.h leaves to the ISA.
#pragma once

#include "int8/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A template, so that an ISA without byte products need not declare them.
template <class Vector>
LINNET_INLINE Vector multiply_add(Vector sum, Vector a, Vector b) {
  if constexpr (kByteProducts) {
    return dot_u8s8(sum, a, b);
  } else {
    return add_madd16(sum, a, b);
  }
}

LINNET_INLINE I load_weights(const int8_t* w) {
  if constexpr (kByteProducts) {
    return load_i((const int32_t*)w);
  } else {
    return load_pairs_s8(w);
  }
}

LINNET_INLINE I add_weights(I sum, const int8_t* w) {
  return multiply_add(sum, kByteProducts ? splat_i(0x01010101) : splat_i(0x00010001),
                      load_weights(w));
}

// Sum of a row, its last lane filled up with zeros.
static int32_t row_sum(const uint8_t* row, int64_t depth) {
  const I ones = kByteProducts ? splat_i(0x01010101) : splat_i(0x00010001);
  const int64_t lanes = padded(depth, kLayout.group) / kLayout.group;
  I total = splat_i(0);
  int64_t i = 0;
  for (; i + kLanes <= lanes; i += kLanes) {
    total = multiply_add(total, load_i((const int32_t*)(row + 4 * i)), ones);
  }
  if (i < lanes) {
    total = multiply_add(total, load_i((const int32_t*)(row + 4 * i), (int)(lanes - i)), ones);
  }
  return sum_i(total);
}

// Sums of rows `a_step` bytes apart.
LINNET_INLINE void sum_rows(int32_t* sums, const uint8_t* a, int64_t a_step, int rows,
                            int64_t depth) {
  for (int r = 0; r < rows; ++r) sums[r] = row_sum(a + r * a_step, depth);
}

// Independent sums that hide the latency of multiply_add where a tile has few of its own.
constexpr int ways(int sums) { return sums >= 8 ? 1 : sums >= 4 ? 2 : 4; }

// Rows whose addresses follow from one register: all have their own where they are few.
constexpr int kRowsPerPointer = kLanes == 16 ? 3 : 1;

// What a tile does beside its products every second step: nothing.
struct NothingBeside {
  __attribute__((always_inline)) void operator()(int64_t) const {}
};

// One flat loop over k, whatever the shape of the window: GCC moves accumulators about between the
// levels of a nest.
template <int MR, int NV, class Beside = NothingBeside>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector,
                                Beside beside = {}) {
  constexpr int kWays = ways(MR * NV);
  const int64_t a_step = block.a_step, steps = block.steps;
  const int32_t* offsets = block.offsets;
  const uint8_t* a[(MR + kRowsPerPointer - 1) / kRowsPerPointer];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i += kRowsPerPointer) {
    a[i / kRowsPerPointer] = block.a + (row + i) * a_step;
  }
  const int8_t* w[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    w[j] = block.weights + (vector + j) / kVectorsPerPanel * block.panel_step +
           (vector + j) % kVectorsPerPanel * kLanes * kLayout.group;
  }
  const auto add = [&](I(&to)[MR][NV], int64_t k) __attribute__((always_inline)) {
    I b[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) b[j] = load_weights(w[j] + k * kPanel * kLayout.group);
    const int64_t offset = offsets[k];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const I x =
          splat_i(load_word(a[i / kRowsPerPointer] + i % kRowsPerPointer * a_step + offset));
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) to[i][j] = multiply_add(to[i][j], x, b[j]);
    }
  };
  int64_t k = 0;
  if constexpr (kWays > 1) {
    I more[kWays - 1][MR][NV];
#pragma GCC unroll 64
    for (int n = 0; n < (kWays - 1) * MR * NV; ++n) {
      more[n / (MR * NV)][n / NV % MR][n % NV] = splat_i(0);
    }
#pragma GCC unroll 1
    for (; k + kWays <= steps; k += kWays) {
      add(sum, k);
#pragma GCC unroll 4
      for (int way = 1; way < kWays; ++way) add(more[way - 1], k + way);
    }
#pragma GCC unroll 64
    for (int n = 0; n < (kWays - 1) * MR * NV; ++n) {
      I& to = sum[n / NV % MR][n % NV];
      to = (I)((U)to + (U)more[n / (MR * NV)][n / NV % MR][n % NV]);
    }
  }
  if constexpr (kWays == 1) {
#pragma GCC unroll 1
    for (; k + 2 <= steps; k += 2) {
      beside(k);
      add(sum, k);
      add(sum, k + 1);
    }
  }
#pragma GCC unroll 1
  for (; k < steps; ++k) add(sum, k);
}

constexpr int rows_by_hand(int) { return 0; }
static inline bool tiles_by_hand(const BlockS8&, int, int, int) { return false; }
static inline int strips_by_hand(const BlockS8&, const StripsS8&, int, int begin, int) {
  return begin;
}

// Most rows of a tile by its number of vectors: accumulators, weights and one broadcast fit the
// registers (32 with 16 lanes, 16 otherwise).
constexpr int kMaxVectors = kLanes == 16 ? 4 : 2;
constexpr int kMaxRows = kLanes == 16 ? 12 : 6;
constexpr int most_rows(int vectors) {
  return kLanes == 16 ? (vectors <= 2 ? 12 : vectors == 3 ? 8 : 6) : kLanes == 8 ? 6 : 4;
}

// Vectors of the next tile: as many as fit, but no lonely last one after a full tile.
LINNET_INLINE int next_vectors(int left) {
  if (left <= kMaxVectors) return left;
  return kMaxVectors == 4 && left == 5 ? 3 : kMaxVectors;
}

}  // namespace LINNET_ISA
}  // namespace linnet
