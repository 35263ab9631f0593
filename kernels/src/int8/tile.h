// The micro-tile: rows of activations times vectors of packed output channels, int8 weights.
#pragma once

#include "int8/layout.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// LINNET_SIXTEEN_BITS: a unit of int16 activations, which are multiplied as 16-bit pairs.
// LINNET_WORD_TILES: a unit whose own code knows tiles of 16-bit pairs and of unsigned bytes only.
#if defined(LINNET_SIXTEEN_BITS)
typedef int16_t Code;
constexpr ProductS8 kProduct = ProductS8::words;
#elif defined(LINNET_NEON) && !defined(LINNET_WORD_TILES)
typedef int8_t Code;
constexpr ProductS8 kProduct = kHasMatrixS8 ? ProductS8::eights
                               : kHasDotS8  ? ProductS8::quads
                                            : ProductS8::sixteens;
#else
typedef int8_t Code;
constexpr ProductS8 kProduct = kHasDot ? ProductS8::bytes : ProductS8::words;
#endif
using ConvHere = ConvParams<Code>;
constexpr bool kByteProducts = kProduct == ProductS8::bytes;
constexpr LayoutS8 kLayout = layout_s8(kProduct);
// Activations are multiplied as they are stored, so rows need not be copied.
constexpr bool kInPlace = kLayout.element == (int)sizeof(Code) && kLayout.shift == 0;
constexpr int kVectorsPerPanel = kPanel / kLanes;
constexpr int kLaneBytes = kLayout.group * kLayout.element;

// Sums wrap around: the whole one fits int32, partial ones need not.
typedef uint32_t U __attribute__((vector_size(sizeof(I)), may_alias));

// Rows of activations against the output channels of one group. Row r starts at a + r * a_step, its
// k-th lane's worth at offsets[k] from there; its outputs go to y + r * y_step.
struct BlockS8 {
  const uint8_t* a;
  int64_t a_step;
  const int32_t* offsets;
  int64_t steps;
  int64_t segment_steps;  // the first segments * segment_steps of them lie in runs of so many
  int64_t segments;
  bool careful;  // see ConvParams
  bool half;     // the last lane's worth of a segment is at most half full
  int64_t run;   // see ConvParams, as wide_bias
  const int64_t* wide_bias;
  const int32_t* row_sums;  // null where the weights' zero points are zero
  const int8_t* weights;
  void* widened;  // room for widened weights, see layout.h; null where there is none
  int64_t panel_step;
  OutputS8 output;
  Code* y;
  int64_t y_step;
  int channels;
};

// Blocks of as many rows, so many bytes of activations and outputs apart.
struct StripsS8 {
  int64_t count, a_step, y_step;
};

}  // namespace LINNET_ISA
}  // namespace linnet
#if defined(LINNET_NEON) && !defined(LINNET_WORD_TILES) && !defined(LINNET_SIXTEEN_BITS)
#include "int8/products_neon.h"
#else
#include "int8/products_x86.h"
#endif
namespace linnet {
namespace LINNET_ISA {

// Sums start as the bias, less what the weights' zero points contribute.
template <int MR, int NV>
LINNET_INLINE void start_sums(I (&sum)[MR][NV], const BlockS8& block, int row, int channel) {
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const I bias = load_i(block.output.bias + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) sum[i][j] = bias;
  }
  if (block.row_sums == nullptr) return;
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) {
    const U zero = (U)load_i(block.output.weight_zero + channel + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      sum[i][j] = (I)((U)sum[i][j] - zero * (U)splat_i(block.row_sums[row + i]));
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
#if defined(LINNET_SIXTEEN_BITS)
#include "int16/finish.h"
#else
#include "int8/finish.h"
#endif
#include "int8/row.h"
#include "int8/widened.h"
namespace linnet {
namespace LINNET_ISA {

// `count` tiles of MR rows from `row` on, channels [vector * kLanes, (vector + NV) * kLanes).
template <int MR, int NV>
static void tiles_s8(const BlockS8& block, int row, int count, int vector) {
  if (MR == rows_by_hand(NV) && tiles_by_hand(block, row, count, vector)) return;
#pragma GCC unroll 1
  for (const int end = row + count * MR; row < end; row += MR) {
    make_tile<MR, NV>(block, row, vector);
  }
}

using TilesS8 = void (*)(const BlockS8&, int, int, int);

template <int MR, int NV>
static constexpr TilesS8 tiles_or_null() {
  if constexpr (MR <= most_rows(NV) && NV <= kMaxVectors) {
    return tiles_s8<MR, NV>;
  } else {
    return nullptr;
  }
}

#define LINNET_TILES(NV)                                                     \
  {tiles_or_null<1, NV>(),  tiles_or_null<2, NV>(),  tiles_or_null<3, NV>(), \
   tiles_or_null<4, NV>(),  tiles_or_null<5, NV>(),  tiles_or_null<6, NV>(), \
   tiles_or_null<7, NV>(),  tiles_or_null<8, NV>(),  tiles_or_null<9, NV>(), \
   tiles_or_null<10, NV>(), tiles_or_null<11, NV>(), tiles_or_null<12, NV>()}
static constexpr TilesS8 kTiles[4][12] = {LINNET_TILES(1), LINNET_TILES(2), LINNET_TILES(3),
                                          LINNET_TILES(4)};
#undef LINNET_TILES

// Rows [0, rows) against `vectors` vectors from `vector` on: in tiles of even height, or in whole
// ones where several rows leave together.
static void strip_s8(const BlockS8& block, int rows, int vector, int vectors) {
  const int most = most_rows(vectors);
  const TilesS8* tiles = kTiles[vectors - 1];
  if (rows_together(vectors) > 1) {
    if (rows >= most) tiles[most - 1](block, 0, rows / most, vector);
    if (rows % most > 0) tiles[rows % most - 1](block, rows - rows % most, 1, vector);
    return;
  }
  if (rows_by_hand(vectors) == most && rows >= most) {  // the last tile may make rows once more
    tiles[most - 1](block, 0, rows / most, vector);
    if (rows % most > 0) tiles[most - 1](block, rows - most, 1, vector);
    return;
  }
  const int count = (rows + most - 1) / most;
  const int height = rows / count, taller = rows % count;
  if (taller > 0) tiles[height](block, 0, taller, vector);
  const int done = taller * (height + 1);
  tiles[height - 1](block, done, count - taller, vector);
}

// Rows [0, rows), at least one, of every strip against vectors [begin, end): weights stay in the
// cache meanwhile.
static void strips_s8(BlockS8 block, const StripsS8& strips, int rows, int begin, int end) {
  begin = strips_by_hand(block, strips, rows, begin, end);
  begin = row_strips(block, strips, rows, begin, end);
  begin = widened_strips(block, strips, rows, begin, end);
  const uint8_t* a = block.a;
  Code* y = block.y;
  for (int vector = begin; vector < end;) {
    const int vectors = next_vectors(end - vector);
    for (int64_t n = 0; n < strips.count; ++n) {
      block.a = a + n * strips.a_step;
      block.y = y + n * strips.y_step;
      strip_s8(block, rows, vector, vectors);
    }
    vector += vectors;
  }
}

static void block_s8(const BlockS8& block, int rows, int begin, int end) {
  strips_s8(block, {1, 0, 0}, rows, begin, end);
}

}  // namespace LINNET_ISA
}  // namespace linnet
