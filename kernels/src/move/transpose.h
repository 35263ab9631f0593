// Blocked transposes of matrices of 1, 2, 4 or 8-byte elements.
#pragma once

#include "move/copy.h"

namespace linnet {
namespace LINNET_ISA {

typedef uint8_t Bytes __attribute__((vector_size(16), may_alias));

#if defined(__clang__)
#define LINNET_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define LINNET_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Bytes{__VA_ARGS__})
#endif

// Interleaves the elements of the low halves of a and b: a0 b0 a1 b1 ...
template <int kElement>
LINNET_INLINE Bytes zip_low(Bytes a, Bytes b) {
  if constexpr (kElement == 1) {
    return LINNET_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  } else if constexpr (kElement == 2) {
    return LINNET_SHUFFLE(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  } else if constexpr (kElement == 4) {
    return LINNET_SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  } else {
    return LINNET_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  }
}

template <int kElement>
LINNET_INLINE Bytes zip_high(Bytes a, Bytes b) {
  if constexpr (kElement == 1) {
    return LINNET_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  } else if constexpr (kElement == 2) {
    return LINNET_SHUFFLE(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  } else if constexpr (kElement == 4) {
    return LINNET_SHUFFLE(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  } else {
    return LINNET_SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
}

// One step of the perfect shuffle over kCount vectors; log2(kCount) steps interleave their
// elements, which for kCount = 16 / kElement is the transpose of a square tile.
template <int kElement, int kCount>
LINNET_INLINE void shuffle_step(Bytes* rows) {
  Bytes next[kCount];
#pragma GCC unroll 16
  for (int i = 0; i < kCount / 2; ++i) {
    next[2 * i] = zip_low<kElement>(rows[i], rows[i + kCount / 2]);
    next[2 * i + 1] = zip_high<kElement>(rows[i], rows[i + kCount / 2]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kCount; ++i) rows[i] = next[i];
}

template <int kElement, int kCount>
LINNET_INLINE void interleave(Bytes* rows) {
  shuffle_step<kElement, kCount>(rows);
  if constexpr (kCount >= 4) shuffle_step<kElement, kCount>(rows);
  if constexpr (kCount >= 8) shuffle_step<kElement, kCount>(rows);
  if constexpr (kCount >= 16) shuffle_step<kElement, kCount>(rows);
}

// A tile of 16 bytes of each row, of which the first `stored` columns are written.
template <int kElement>
LINNET_INLINE void transpose_tile(const uint8_t* source, int64_t source_stride, uint8_t* target,
                                  int64_t target_stride, int stored = 16 / kElement) {
  constexpr int kTile = 16 / kElement;
  Bytes rows[kTile];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) memcpy(&rows[i], source + i * source_stride, 16);
  interleave<kElement, kTile>(rows);
#pragma GCC unroll 16
  for (int j = 0; j < kTile; ++j) {
    if (j < stored) memcpy(target + j * target_stride, &rows[j], 16);
  }
}

template <int kElement>
static void transpose_edge(const uint8_t* source, int64_t source_stride, uint8_t* target,
                           int64_t target_stride, int64_t rows, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    copy_line<kElement>(source + j * kElement, source_stride, target + j * target_stride, kElement,
                        rows);
  }
}

// Fewer columns than a tile has. Tiles read over their rows' ends, but not over the last one's.
template <int kElement>
static void transpose_columns(const uint8_t* source, int64_t source_stride, uint8_t* target,
                              int64_t target_stride, int64_t rows, int64_t columns) {
  constexpr int kTile = 16 / kElement;
  int64_t i = 0;
  if (columns * 4 > kTile && source_stride > 0) {
    const int64_t missing = 16 - columns * kElement;
    const int64_t readable = rows - (missing + source_stride - 1) / source_stride;
    for (; i + kTile <= readable; i += kTile) {
      transpose_tile<kElement>(source + i * source_stride, source_stride, target + i * kElement,
                               target_stride, static_cast<int>(columns));
    }
  }
  transpose_edge<kElement>(source + i * source_stride, source_stride, target + i * kElement,
                           target_stride, rows - i, columns);
}

template <int kElement>
static void transpose_small(const uint8_t* source, int64_t source_stride, uint8_t* target,
                            int64_t target_stride, int64_t rows, int64_t columns) {
  constexpr int kTile = 16 / kElement;
  const int64_t whole_rows = rows / kTile * kTile, whole_columns = columns / kTile * kTile;
  for (int64_t j = 0; j < whole_columns; j += kTile) {
    for (int64_t i = 0; i < whole_rows; i += kTile) {
      transpose_tile<kElement>(source + i * source_stride + j * kElement, source_stride,
                               target + j * target_stride + i * kElement, target_stride);
    }
  }
  transpose_edge<kElement>(source + whole_rows * source_stride, source_stride,
                           target + whole_rows * kElement, target_stride, rows - whole_rows,
                           whole_columns);
  transpose_columns<kElement>(source + whole_columns * kElement, source_stride,
                              target + whole_columns * target_stride, target_stride, rows,
                              columns - whole_columns);
}

#if defined(__AVX512F__)
constexpr bool kHasLines = true;

// A tile of 16x16 words: every cache line is read once and written once, so that it does not matter
// how many of them compete for a set of the cache.
LINNET_INLINE void transpose_lines(const uint8_t* source, int64_t source_stride, uint8_t* target,
                                   int64_t target_stride) {
  const I low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const I high = low + 8;
  I rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    rows[i] = load_i(reinterpret_cast<const int32_t*>(source + i * source_stride));
  }
#pragma GCC unroll 4
  for (int step = 0; step < 4; ++step) {
    I next[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + 8], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + 8], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    store_i(reinterpret_cast<int32_t*>(target + j * target_stride), rows[j]);
  }
}
#else
constexpr bool kHasLines = false;
static void transpose_lines(const uint8_t*, int64_t, uint8_t*, int64_t) {}
#endif

template <int kElement>
static void transpose_block(const uint8_t* source, int64_t source_stride, uint8_t* target,
                            int64_t target_stride, int64_t rows, int64_t columns) {
  int64_t high = 0, wide = 0;
  if constexpr (kElement == 4 && kHasLines) {
    high = rows / 16 * 16;
    wide = columns / 16 * 16;
    for (int64_t j = 0; j < wide; j += 16) {
      for (int64_t i = 0; i < high; i += 16) {
        transpose_lines(source + i * source_stride + j * 4, source_stride,
                        target + j * target_stride + i * 4, target_stride);
      }
    }
  }
  transpose_small<kElement>(source + high * source_stride, source_stride, target + high * kElement,
                            target_stride, rows - high, wide);
  transpose_small<kElement>(source + wide * kElement, source_stride, target + wide * target_stride,
                            target_stride, rows, columns - wide);
}

// A few long rows into packed groups, as planes of an image into pixels; more than kRows / 2 of
// them and at most kRows. Groups are stored kRows elements wide: what spills over goes into the
// next group only and is overwritten with it, so the last groups of a range are stored exactly.
template <int kElement, int kRows>
static void transpose_narrow(const uint8_t* source, int64_t source_stride, uint8_t* target,
                             int64_t rows, int64_t columns) {
  constexpr int kStep = 16 / kElement, kGroup = kRows * kElement, kGroups = 16 / kGroup;
  const int64_t pitch = rows * kElement;
  int64_t j = 0;
  for (; j + kStep < columns; j += kStep) {
    Bytes lines[kRows];
    for (int i = 0; i < kRows; ++i) {
      const int64_t row = i < rows ? i : 0;
      memcpy(&lines[i], source + row * source_stride + j * kElement, 16);
    }
    interleave<kElement, kRows>(lines);
#pragma GCC unroll 8
    for (int v = 0; v < kRows; ++v) {
      uint8_t groups[16];
      memcpy(groups, &lines[v], 16);
#pragma GCC unroll 8
      for (int g = 0; g < kGroups; ++g) {
        memcpy(target + (j + v * kGroups + g) * pitch, groups + g * kGroup, kGroup);
      }
    }
  }
  transpose_edge<kElement>(source + j * kElement, source_stride, target + j * pitch, pitch, rows,
                           columns - j);
}

template <int kElement>
static void transpose_nest(const TransposeParams& p, const Worker& w) {
  constexpr int kNarrow = kElement <= 2 ? 8 : 16 / kElement;
  const bool narrow = p.rows >= 2 && p.rows <= kNarrow && p.target_stride == p.rows * kElement;
  // A block reads a few cache lines of every source row and writes as many of every target row. Of
  // the shorter side all blocks come first: what is packed there goes by in order.
  const int64_t high = narrow ? p.rows : 256 / kElement, wide = narrow ? 4096 : 256 / kElement;
  const int64_t down = (p.rows + high - 1) / high, across = (p.columns + wide - 1) / wide;
  const bool rows_first = p.rows < p.columns;
  const Span part = split(axes_total(p.axes) * down * across, w);
  for (int64_t unit = part.begin; unit < part.end; ++unit) {
    const Cursor cursor = cursor_at(p.axes, unit / (down * across));
    const int64_t at = unit % (down * across);
    const int64_t i = (rows_first ? at % down : at / across) * high;
    const int64_t j = (rows_first ? at / down : at % across) * wide;
    const int64_t rows = p.rows - i < high ? p.rows - i : high;
    const int64_t columns = p.columns - j < wide ? p.columns - j : wide;
    const uint8_t* source = p.source + cursor.source + i * p.source_stride + j * kElement;
    uint8_t* target = p.target + cursor.target + j * p.target_stride + i * kElement;
    if (!narrow) {
      transpose_block<kElement>(source, p.source_stride, target, p.target_stride, rows, columns);
    } else if (rows == 2) {
      transpose_narrow<kElement, 2>(source, p.source_stride, target, rows, columns);
    } else if (rows <= 4) {
      transpose_narrow < kElement,
          kNarrow<4 ? kNarrow : 4>(source, p.source_stride, target, rows, columns);
    } else {
      transpose_narrow<kElement, kNarrow>(source, p.source_stride, target, rows, columns);
    }
  }
}

static void transpose_any(const TransposeParams& p, const Worker& w) {
  switch (p.element) {
    case 1:
      return transpose_nest<1>(p, w);
    case 2:
      return transpose_nest<2>(p, w);
    case 4:
      return transpose_nest<4>(p, w);
    default:
      return transpose_nest<8>(p, w);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
