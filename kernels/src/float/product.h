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

// All rows of the tile columns that `t` describes, the first `vectors` * kLanes of them.
static void multiply_rows(const ProductF32& p, const float* a, int64_t rows, int vectors,
                          TileF32& t) {
  if (rows == 1) {
    t.rows[0] = a;
    return run_row<kRowVectors>(vectors, t);
  }
  for (int64_t row = 0; row < rows; row += kStripRows) {
    const int count = static_cast<int>(rows - row < kStripRows ? rows - row : kStripRows);
    for (int i = 0; i < count; ++i, a += p.lda) t.rows[i] = a;
    run_strip(vectors, count, t);
    t.c += count * p.ldc;
  }
}

// Size of each of the even blocks that [0, total) falls into, at most `most` each.
LINNET_INLINE int64_t even_blocks(int64_t total, int64_t most) {
  const int64_t blocks = (total + most - 1) / most;
  return blocks > 0 ? (total + blocks - 1) / blocks : 1;
}

// Steps [k, k + t.length) of columns [begin, end).
static void multiply_steps(const ProductF32& p, int64_t rows, int64_t begin, int64_t end, int64_t k,
                           TileF32& t) {
  const bool packs = p.packed != nullptr;
  const int widest = rows == 1 && !packs ? kRowVectors : tile_vectors(t.length);
  const float* b = p.b + k * (p.layout == LayoutF32::kPanels ? kPanelF32 : p.ldb);
  for (int64_t column = begin; column < end;) {
    const int64_t left = end - column;
    const int vectors = next_vectors((left + kLanes - 1) / kLanes, widest);
    const int64_t width = left < vectors * kLanes ? left : vectors * kLanes;
    const int64_t after = column + width;
    t.ldb = packs ? vectors * kLanes : p.layout == LayoutF32::kPanels ? kPanelF32 : p.ldb;
    t.bias = p.bias != nullptr ? p.bias + column : nullptr;
    t.columns = width;
    if (packs) pack_columns(p, k, t.length, column, width, vectors);
    t.b = packs ? p.packed : b + column / kPanelF32 * t.panel + column % kPanelF32;
    t.next = after < end ? b + after / kPanelF32 * t.panel : nullptr;
    t.c = p.c + column;
    multiply_rows(p, p.a + k, rows, vectors, t);
    column = after;
  }
}

void multiply(const ProductF32& p, int64_t rows, int64_t begin, int64_t end) noexcept {
  if (rows <= 0) return;
  const ptrdiff_t none = 0;
  const bool bounded = p.low > -__builtin_inff() || p.high < __builtin_inff();
  TileF32 t;
  t.offsets = &none;
  t.runs = 1;
  t.panel = p.layout == LayoutF32::kPanels ? kPanelF32 * p.depth : kPanelF32;
  t.ldc = p.ldc;
  t.low = p.low;
  t.high = p.high;
  const int64_t step = even_blocks(p.depth, kDepthBlockF32);
  for (int64_t k = 0; k == 0 || k < p.depth; k += step) {
    t.length = p.depth - k < step ? p.depth - k : step;
    t.first = k == 0 && !p.adds;
    t.last = bounded && k + t.length == p.depth;
    multiply_steps(p, rows, begin, end, k, t);
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

}  // namespace LINNET_ISA
}  // namespace linnet
