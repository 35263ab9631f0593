// Blocks of rows times ranges of columns: loops over tiles, packing of B where it is not packed.
#pragma once

#include "float/tile.h"

namespace linnet {
namespace LINNET_ISA {

typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t QuadIndex __attribute__((vector_size(16)));

// dst[j * ldd + i] = src[i * lds + j] for i < rows, j < columns. Reads up to 3 floats behind a row
// of src, writes up to 3 behind a row of dst.
static void transpose(const float* src, ptrdiff_t lds, float* dst, ptrdiff_t ldd, int64_t rows,
                      int64_t columns) {
  for (int64_t i = 0; i < rows; i += 4) {
    const float* r0 = src + i * lds;
    const float* r1 = i + 1 < rows ? r0 + lds : r0;
    const float* r2 = i + 2 < rows ? r1 + lds : r1;
    const float* r3 = i + 3 < rows ? r2 + lds : r2;
    float* out = dst + i;
    for (int64_t j = 0; j < columns; j += 4) {
      const Quad a = *(const Quad*)(r0 + j), b = *(const Quad*)(r1 + j);
      const Quad c = *(const Quad*)(r2 + j), d = *(const Quad*)(r3 + j);
      const Quad ab0 = __builtin_shuffle(a, b, QuadIndex{0, 4, 1, 5});
      const Quad ab1 = __builtin_shuffle(a, b, QuadIndex{2, 6, 3, 7});
      const Quad cd0 = __builtin_shuffle(c, d, QuadIndex{0, 4, 1, 5});
      const Quad cd1 = __builtin_shuffle(c, d, QuadIndex{2, 6, 3, 7});
      const int64_t left = columns - j;
      *(Quad*)(out + j * ldd) = __builtin_shuffle(ab0, cd0, QuadIndex{0, 1, 4, 5});
      if (left > 1)
        *(Quad*)(out + (j + 1) * ldd) = __builtin_shuffle(ab0, cd0, QuadIndex{2, 3, 6, 7});
      if (left > 2)
        *(Quad*)(out + (j + 2) * ldd) = __builtin_shuffle(ab1, cd1, QuadIndex{0, 1, 4, 5});
      if (left > 3)
        *(Quad*)(out + (j + 3) * ldd) = __builtin_shuffle(ab1, cd1, QuadIndex{2, 3, 6, 7});
    }
  }
}

// What `multiply` works on; see GemmF32Params. With `packed`, B is copied there piece by piece.
struct ProductF32 {
  const float* a;
  const float* b;
  const float* bias;
  float* c;
  float* packed;
  ptrdiff_t lda;
  ptrdiff_t ldb;
  ptrdiff_t ldc;
  int64_t depth;
  float low;
  float high;
  LayoutF32 layout;
};

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

// C of rows [0, rows) and columns [begin, end); begin is a multiple of 16.
static void multiply(const ProductF32& p, int64_t rows, int64_t begin, int64_t end) {
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
      t.first = k == 0;
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
