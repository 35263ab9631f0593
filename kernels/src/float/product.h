// Blocks of rows times ranges of columns: loops over tiles, packing of B where it is not packed.
#pragma once

#include "float/multiply.h"
#include "float/tile.h"
#include "float/transpose.h"

namespace linnet {
namespace LINNET_ISA {

// Copies steps [k, k + depth) of columns [column, column + width) to p.packed, `vectors` wide.
static void pack_columns(const ProductF32& p, int64_t k, int64_t depth, int64_t column,
                         int64_t width, int vectors) {
  const ptrdiff_t ldd = vectors * kLanes;
  if (p.layout == LayoutF32::kColumns) {
    transpose(p.b + column * p.ldb + k, p.ldb, p.packed, ldd, width, depth);
    return;
  }
  const float* src = p.b + k * p.ldb + column;
  float* dst = p.packed;
  for (int64_t i = 0; i < depth; ++i, src += p.ldb, dst += ldd) {
    for (int j = 0; j < vectors; ++j) store_f(dst + j * kLanes, load_f(src + j * kLanes));
  }
}

void multiply(const ProductF32& p, int64_t rows, int64_t begin, int64_t end) noexcept {
  if (rows <= 0) return;
  const bool packs = p.packed != nullptr;
  const bool panels = p.layout == LayoutF32::kPanels;
  const int widest = rows == 1 && !packs ? kRowVectors : kTileVectors;
  for (int64_t column = begin; column < end;) {
    const int64_t left = end - column;
    const int vectors = next_vectors((left + kLanes - 1) / kLanes, widest);
    const int64_t width = left < vectors * kLanes ? left : vectors * kLanes;
    TileF32 t;
    t.lda = p.lda;
    t.ldb = packs ? vectors * kLanes : panels ? kPanelF32 : p.ldb;
    t.panel = panels ? kPanelF32 * p.depth : kPanelF32;
    t.ldc = p.ldc;
    t.c = p.c + column;
    t.bias = p.bias != nullptr ? p.bias + column : nullptr;
    t.columns = width;
    t.low = p.low;
    t.high = p.high;
    const float* b = p.b + column / kPanelF32 * t.panel + column % kPanelF32;
    for (int64_t k = 0; k == 0 || k < p.depth; k += kDepthBlockF32) {
      const int64_t rest = p.depth - k;
      t.depth = rest < kDepthBlockF32 ? rest : kDepthBlockF32;
      if (packs) pack_columns(p, k, t.depth, column, width, vectors);
      t.a = p.a + k;
      t.b = packs ? p.packed : b + k * t.ldb;
      t.first = k == 0 && !p.adds;
      t.last = rest <= kDepthBlockF32;
      run_rows(vectors, rows, t);
    }
    column += width;
  }
}

// Whether threads should share the columns instead of the rows: where that is the more even split,
// or nearly so and spares every thread from reading all of B.
LINNET_INLINE bool splits_columns(int64_t row_units, int64_t column_units, int threads,
                                  bool prefer_columns) {
  if (threads == 1) return false;
  const int64_t by_rows = (row_units + threads - 1) / threads * column_units;
  const int64_t by_columns = (column_units + threads - 1) / threads * row_units;
  return by_columns * (prefer_columns ? 9 : 11) < by_rows * 10;
}

// Rows of each of the even blocks that [0, rows) falls into, at most `most` each.
LINNET_INLINE int64_t even_rows(int64_t rows, int64_t most) {
  const int64_t blocks = (rows + most - 1) / most;
  return blocks > 0 ? (rows + blocks - 1) / blocks : 1;
}

}  // namespace LINNET_ISA
}  // namespace linnet
