// The inner loop of every float product: a tile of C in registers, k ascending, one chain of
// multiply-adds per element that starts from the bias. An element's result therefore depends on
// neither the tile that computes it nor the thread.
#pragma once

#include "float/blocking.h"
#include "simd/simd.h"

#define LINNET_UNROLL _Pragma("GCC unroll 16")

namespace linnet {
namespace LINNET_ISA {

// Vectors of a panel.
constexpr int kPanelVectors = static_cast<int>(kPanelF32) / kLanes;

// Steps from which on B does not stay in the L1 cache: tiles prefetch it then, so many steps ahead.
constexpr int64_t kStreamedSteps = kLanes >= 8 ? 128 : INT64_MAX;
constexpr int kStepsAhead = 8;

// Widest tile in vectors, a narrower and taller one where B is streamed, and the rows that leave
// registers for B and one value of A; with 16 vector registers fewer rows, with 32 what the row
// addresses leave of the integer registers.
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;
constexpr int kStreamedVectors = kLanes == 16 ? 3 : 2;
constexpr int tile_vectors(int64_t steps) {
  return steps >= kStreamedSteps ? kStreamedVectors : kTileVectors;
}
constexpr int tile_rows(int vectors) {
  return kLanes == 16  ? (vectors == 4   ? 6
                          : vectors == 3 ? 9
                                         : 10)
         : kLanes == 8 ? (vectors == 2 ? 6 : 10)
                       : (vectors == 2 ? 4 : 8);
}

// Rows whose addresses are at hand at a time: whole tiles of every height above.
constexpr int kStripRows = 360;

// Widest tile of a product with one row: at most four panels, because every panel is a stream of
// its own and streams that lie a power of two apart compete for the same cache sets.
constexpr int kRowVectors = kLanes == 16 ? 4 : 8;

// A strip of tiles below each other: its row i reads `runs` runs of `length` values of A, run r
// from rows[i] + offsets[r] on. A product has one run, a convolution one per kernel row or tap.
struct TileF32 {
  const float* rows[kStripRows];
  const ptrdiff_t* offsets;
  int64_t runs;
  int64_t length;
  const float* b;     // step k of panel g at b + k * ldb + g * panel
  const float* next;  // null or the next strip's b, which will be read as this one's is
  const float* bias;  // null or one per column, whole vectors readable
  float* c;           // row i at c + i * ldc
  ptrdiff_t ldb;
  ptrdiff_t panel;
  ptrdiff_t ldc;
  int64_t columns;  // of this tile, at most its vectors
  float low;
  float high;
  bool first;  // start from the bias, not from C
  bool last;   // clamp
};

// NaN stays NaN.
LINNET_INLINE F clamp_number(F x, F low, F high) { return min_f(high, max_f(low, x)); }

template <int MR, int NV>
LINNET_INLINE void start_tile(F (&acc)[MR][NV], const TileF32& t, const float* c) {
  if (t.first) {
    LINNET_UNROLL for (int j = 0; j < NV; ++j) {
      const F bias = t.bias != nullptr ? load_f(t.bias + j * kLanes) : splat_f(0.0f);
      LINNET_UNROLL for (int i = 0; i < MR; ++i) acc[i][j] = bias;
    }
    return;
  }
  const int tail = static_cast<int>(t.columns) - (NV - 1) * kLanes;
  LINNET_UNROLL for (int i = 0; i < MR; ++i, c += t.ldc) {
    LINNET_UNROLL for (int j = 0; j + 1 < NV; ++j) acc[i][j] = load_f(c + j * kLanes);
    acc[i][NV - 1] = load_f(c + (NV - 1) * kLanes, tail);
  }
}

template <int MR, int NV>
LINNET_INLINE void store_tile(const F (&acc)[MR][NV], const TileF32& t, float* c) {
  const int tail = static_cast<int>(t.columns) - (NV - 1) * kLanes;
  const ptrdiff_t ldc = t.ldc;
  if (tail == kLanes) {
    LINNET_UNROLL for (int i = 0; i < MR; ++i, c += ldc) {
      LINNET_UNROLL for (int j = 0; j < NV; ++j) store_f(c + j * kLanes, acc[i][j]);
    }
    return;
  }
  LINNET_UNROLL for (int i = 0; i < MR; ++i, c += ldc) {
    LINNET_UNROLL for (int j = 0; j + 1 < NV; ++j) store_f(c + j * kLanes, acc[i][j]);
    store_f(c + (NV - 1) * kLanes, acc[i][NV - 1], tail);
  }
}

template <int MR, int NV>
LINNET_INLINE void clamp_tile(F (&acc)[MR][NV], const TileF32& t) {
  const F low = splat_f(t.low), high = splat_f(t.high);
  LINNET_UNROLL for (int i = 0; i < MR; ++i) {
    LINNET_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = clamp_number(acc[i][j], low, high);
  }
}

template <int MR, int NV>
LINNET_INLINE void tile_step(F (&acc)[MR][NV], const float* const (&rows)[MR], ptrdiff_t k,
                             const float* b, ptrdiff_t panel) {
  F columns[NV];
  LINNET_UNROLL for (int j = 0; j < NV; ++j) {
    columns[j] = load_f(b + (j / kPanelVectors) * panel + (j % kPanelVectors) * kLanes);
  }
  LINNET_UNROLL for (int i = 0; i < MR; ++i) {
    const F value = splat_f(rows[i][k]);
    LINNET_UNROLL for (int j = 0; j < NV; ++j) {
      if constexpr (MR == 1) {  // columns serve once: straight from memory
        acc[i][j] = fma(value, columns[j], acc[i][j]);
      } else {
        add_product(acc[i][j], value, columns[j]);
      }
    }
  }
}

// Keeps the compiler from working with several copies of a pointer, for which registers lack.
LINNET_INLINE void keep_pointer(const float*& pointer) { __asm__("" : "+r"(pointer)); }

// kSteps steps from k on; moves b behind them.
template <int kSteps, bool kStreams, int MR, int NV>
LINNET_INLINE void tile_steps(F (&acc)[MR][NV], const float* const (&rows)[MR], ptrdiff_t k,
                              const float*& b, const TileF32& t) {
  LINNET_UNROLL for (int step = 0; step < kSteps; ++step) {
    if constexpr (kStreams) {
      LINNET_UNROLL for (int j = 0; j < NV; j += kPanelVectors) {
        prefetch(b + kStepsAhead * kPanelF32 + (j / kPanelVectors) * t.panel);
      }
    }
    tile_step(acc, rows, k + step, b, t.panel);
    b += kStreams ? kPanelF32 : t.ldb;
    keep_pointer(b);
  }
}

// What tile `index` of a strip fetches of the next strip's b, two lines per four steps: half of
// one of its panels.
template <int NV>
LINNET_INLINE const float* next_part(const TileF32& t, int index) {
  constexpr int kPanels = (NV + kPanelVectors - 1) / kPanelVectors;
  if (t.next == nullptr || index >= 2 * kPanels) return t.b;
  return t.next + index / 2 * t.panel + index % 2 * (t.runs * (t.length / 4) * 2 * kPanelF32);
}

// Adds the products of a tile's rows. Four steps per turn: so few turns that the end of a short
// loop is predicted.
template <bool kStreams, int MR, int NV>
LINNET_INLINE void multiply_tile(F (&acc)[MR][NV], const TileF32& t, int first) {
  const float* rows[MR];
  LINNET_UNROLL for (int i = 0; i < MR; ++i) rows[i] = t.rows[first + i];
  const float* b = t.b;
  const float* next = kStreams ? next_part<NV>(t, first / MR) : nullptr;
  for (int64_t run = 0; run < t.runs; ++run) {
    ptrdiff_t k = t.offsets[run];
    const ptrdiff_t end = k + t.length;
    for (const ptrdiff_t last = end - 3; k < last; k += 4) {
      tile_steps<4, kStreams>(acc, rows, k, b, t);
      if constexpr (kStreams) {
        prefetch_second(next);
        prefetch_second(next + kPanelF32);
        next += 2 * kPanelF32;
      }
    }
    if (end - k >= 2) {
      tile_steps<2, kStreams>(acc, rows, k, b, t);
      k += 2;
    }
    if (k < end) tile_steps<1, kStreams>(acc, rows, k, b, t);
  }
}

// Tiles of MR rows from row `first` of a strip to row `end`.
template <int MR, int NV, bool kStreams>
static __attribute__((noinline)) void tiles(const TileF32& t, int first, int end) {
  float* c = t.c + first * t.ldc;
  for (int row = first; row < end; row += MR, c += MR * t.ldc) {
    F acc[MR][NV];
    start_tile(acc, t, c);
    multiply_tile<kStreams>(acc, t, row);
    if (t.last) clamp_tile(acc, t);
    store_tile(acc, t, c);
  }
}

template <int MR, int NV>
static void run_tiles(int high, const TileF32& t, int first, int end) {
  if (high != MR) {
    if constexpr (MR > 1) run_tiles<MR - 1, NV>(high, t, first, end);
    return;
  }
  if constexpr (kStreamedSteps < INT64_MAX && NV <= kStreamedVectors) {
    if (t.runs * t.length >= kStreamedSteps && t.ldb == kPanelF32) {
      return tiles<MR, NV, true>(t, first, end);
    }
  }
  tiles<MR, NV, false>(t, first, end);
}

template <int NV>
static void run_row(int vectors, const TileF32& t) {
  if (vectors == NV) {
    tiles<1, NV, false>(t, 0, 1);
  } else if constexpr (NV > 1) {
    run_row<NV - 1>(vectors, t);
  }
}

// Calls run(height, first, end) for the even tiles that a strip of `rows` rows falls into.
template <class Run>
LINNET_INLINE void even_tiles(int rows, int most, const Run& run) {
  const int count = (rows + most - 1) / most, low = rows / count,
            high_end = rows % count * (low + 1);
  if (high_end > 0) run(low + 1, 0, high_end);
  run(low, high_end, rows);
}

template <int NV>
static void run_strip(int rows, const TileF32& t) {
  constexpr int kMost = tile_rows(NV);
  even_tiles(rows, kMost,
             [&](int high, int first, int end) { run_tiles<kMost, NV>(high, t, first, end); });
}

// A strip of `rows` rows and `vectors` vectors of columns.
static inline void run_strip(int vectors, int rows, const TileF32& t) {
  if constexpr (kTileVectors == 4) {
    if (vectors == 4) return run_strip<4>(rows, t);
    if (vectors == 3) return run_strip<3>(rows, t);
  }
  if (vectors == 2) return run_strip<2>(rows, t);
  run_strip<1>(rows, t);
}

// Vectors of the next tile where `vectors` are left: tiles of even width where any vector may start
// one; else tiles must not straddle a panel's end.
LINNET_INLINE int next_vectors(int64_t vectors, int widest) {
  if (kPanelVectors > 1) return static_cast<int>(vectors < widest ? vectors : widest);
  const int64_t tiles = (vectors + widest - 1) / widest;
  return static_cast<int>((vectors + tiles - 1) / tiles);
}

}  // namespace LINNET_ISA
}  // namespace linnet
