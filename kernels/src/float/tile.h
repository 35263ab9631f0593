// The inner loop of every float product: a tile of C in registers, k ascending, one chain of
// multiply-adds per element. An element's result therefore depends on neither the tile that
// computes it nor the thread.
#pragma once

#include "float/blocking.h"
#include "simd/simd.h"

#define LINNET_UNROLL _Pragma("GCC unroll 16")

namespace linnet {
namespace LINNET_ISA {

// Vectors of a panel.
constexpr int kPanelVectors = static_cast<int>(kPanelF32) / kLanes;

// Widest tile in vectors, and the rows that leave registers for B and one value of A.
constexpr int kTileVectors = kLanes == 16 ? 3 : 2;
constexpr int tile_rows(int vectors) {
  return kLanes == 16  ? (vectors == 3 ? 8 : 12)
         : kLanes == 8 ? (vectors == 2 ? 6 : 8)
                       : (vectors == 2 ? 4 : 8);
}
// Widest tile of a product with one row: at most four panels, because every panel is a stream of
// its own and streams that lie a power of two apart compete for the same cache sets.
constexpr int kRowVectors = kLanes == 16 ? 4 : 8;

struct TileF32 {
  const float* a;     // row i at a + i * lda
  const float* b;     // step k of panel g at b + k * ldb + g * panel
  const float* bias;  // null or one per column, whole vectors readable
  float* c;           // row i at c + i * ldc
  ptrdiff_t lda;
  ptrdiff_t ldb;
  ptrdiff_t panel;
  ptrdiff_t ldc;
  int64_t depth;
  int64_t columns;  // of this tile, at most its vectors
  float low;
  float high;
  bool first;  // start from zero, not from C
  bool last;   // add the bias and clamp
};

// NaN stays NaN.
LINNET_INLINE F clamp_number(F x, F low, F high) { return min_f(high, max_f(low, x)); }

// Row addresses from one pointer per four rows, so that they fit the integer registers.
template <int MR>
struct RowsF32 {
  const float* base[(MR + 3) / 4];
  ptrdiff_t stride;
  ptrdiff_t stride3;

  inline __attribute__((always_inline)) const float* at(int i) const {
    const float* p = base[i / 4];
    const int rest = i % 4;
    return rest == 3 ? p + stride3 : p + rest * stride;
  }
};

template <int MR, int NV>
LINNET_INLINE void load_tile(F (&acc)[MR][NV], const TileF32& t) {
  const int tail = static_cast<int>(t.columns) - (NV - 1) * kLanes;
  LINNET_UNROLL for (int i = 0; i < MR; ++i) {
    const float* c = t.c + i * t.ldc;
    LINNET_UNROLL for (int j = 0; j + 1 < NV; ++j) acc[i][j] = load_f(c + j * kLanes);
    acc[i][NV - 1] = load_f(c + (NV - 1) * kLanes, tail);
  }
}

template <int MR, int NV>
LINNET_INLINE void store_tile(const F (&acc)[MR][NV], const TileF32& t) {
  const int tail = static_cast<int>(t.columns) - (NV - 1) * kLanes;
  float* c = t.c;
  if (tail == kLanes) {
    LINNET_UNROLL for (int i = 0; i < MR; ++i, c += t.ldc) {
      LINNET_UNROLL for (int j = 0; j < NV; ++j) store_f(c + j * kLanes, acc[i][j]);
    }
    return;
  }
  LINNET_UNROLL for (int i = 0; i < MR; ++i, c += t.ldc) {
    LINNET_UNROLL for (int j = 0; j + 1 < NV; ++j) store_f(c + j * kLanes, acc[i][j]);
    store_f(c + (NV - 1) * kLanes, acc[i][NV - 1], tail);
  }
}

template <int MR, int NV>
LINNET_INLINE void finish_tile(F (&acc)[MR][NV], const TileF32& t) {
  const F low = splat_f(t.low), high = splat_f(t.high);
  LINNET_UNROLL for (int j = 0; j < NV; ++j) {
    const F bias = t.bias != nullptr ? load_f(t.bias + j * kLanes) : splat_f(0.0f);
    LINNET_UNROLL for (int i = 0; i < MR; ++i) {
      acc[i][j] = clamp_number(acc[i][j] + bias, low, high);
    }
  }
}

template <int MR, int NV>
static __attribute__((noinline)) void tile(const TileF32& t) {
  F acc[MR][NV];
  if (t.first) {
    LINNET_UNROLL for (int i = 0; i < MR; ++i) {
      LINNET_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = splat_f(0.0f);
    }
  } else {
    load_tile(acc, t);
  }
  RowsF32<MR> rows;
  rows.stride = t.lda;
  rows.stride3 = 3 * t.lda;
  LINNET_UNROLL for (int g = 0; g < (MR + 3) / 4; ++g) rows.base[g] = t.a + 4 * g * t.lda;
  const float* b = t.b;
  const ptrdiff_t ldb = t.ldb, panel = t.panel;
  for (int64_t k = 0, depth = t.depth; k < depth; ++k, b += ldb) {
    F columns[NV];
    LINNET_UNROLL for (int j = 0; j < NV; ++j) {
      columns[j] = load_f(b + (j / kPanelVectors) * panel + (j % kPanelVectors) * kLanes);
    }
    LINNET_UNROLL for (int i = 0; i < MR; ++i) {
      const F value = splat_f(rows.at(i)[k]);
      LINNET_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = fma(value, columns[j], acc[i][j]);
    }
  }
  if (t.last) finish_tile(acc, t);
  store_tile(acc, t);
}

template <int MR, int NV>
static void run_tile(int rows, const TileF32& t) {
  if (rows == MR) {
    tile<MR, NV>(t);
  } else if constexpr (MR > 1) {
    run_tile<MR - 1, NV>(rows, t);
  }
}

template <int NV>
static void run_row(int vectors, const TileF32& t) {
  if (vectors == NV) {
    tile<1, NV>(t);
  } else if constexpr (NV > 1) {
    run_row<NV - 1>(vectors, t);
  }
}

// Vectors of the next tile where `vectors` are left. Two even tiles replace a full one and a sliver
// where any column may start a tile; else tiles must not straddle a panel's end.
LINNET_INLINE int next_vectors(int64_t vectors, int widest) {
  if (kPanelVectors == 1 && vectors == widest + 1) return static_cast<int>((vectors + 1) / 2);
  return static_cast<int>(vectors < widest ? vectors : widest);
}

// Rows [0, rows) of the tile columns that `t` describes, in tiles of even height.
template <int NV>
static void run_rows(int64_t rows, TileF32 t) {
  constexpr int kMost = tile_rows(NV);
  for (int64_t tiles = (rows + kMost - 1) / kMost; tiles > 0; --tiles) {
    const int64_t height = (rows + tiles - 1) / tiles;
    run_tile<kMost, NV>(static_cast<int>(height), t);
    t.a += height * t.lda;
    t.c += height * t.ldc;
    rows -= height;
  }
}

static inline void run_rows(int vectors, int64_t rows, const TileF32& t) {
  if (rows == 1) return run_row<kRowVectors>(vectors, t);
  if constexpr (kTileVectors == 3) {
    if (vectors == 3) return run_rows<3>(rows, t);
  }
  if (vectors == 2) return run_rows<2>(rows, t);
  run_rows<1>(rows, t);
}

}  // namespace LINNET_ISA
}  // namespace linnet
