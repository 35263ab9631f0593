// Products of activations and packed weights on Arm: what tile.h leaves to the ISA.
//
// With dot products (dotprod) a lane's worth is four k; with matrix products (i8mm) it is eight, of
// two rows and two channels at once; without, a chunk of 16 k is multiplied in two halves into
// 16-bit sums of two products each, which fit unless all four factors are -128.
#pragma once

#include "core/order.h"
#include "int8/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// Adds to each of kLanes channels the sum of its lane's worth of weights.
LINNET_INLINE I add_weights(I sum, const int8_t* w) {
#if defined(__ARM_FEATURE_MATMUL_INT8)
  const I ones = splat_i(0x01010101), none = splat_i(0);
  const I first = dot_s8s8(none, load_i((const int32_t*)w), ones);
  const I second = dot_s8s8(none, load_i((const int32_t*)(w + 16)), ones);
  return sum + (I)add_pairs(raw(first), raw(second));
#elif defined(__ARM_FEATURE_DOTPROD)
  return dot_s8s8(sum, load_i((const int32_t*)w), splat_i(0x01010101));
#else
  int32x4_t part[4];
  for (int n = 0; n < 4; ++n) part[n] = vpaddlq_s16(vpaddlq_s8(vld1q_s8(w + 16 * n)));
  return sum + (I)add_pairs(add_pairs(part[0], part[1]), add_pairs(part[2], part[3]));
#endif
}

// Sums of rows of activations, exactly `depth` of each; 16 more may be read, and sums are written
// by fours.
static void sum_rows(int32_t* sums, const uint8_t* a, int64_t a_step, int rows, int64_t depth) {
  static const int8_t kMask[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  for (int r = 0; r < rows; r += 4) {
    const int8_t* row[4];
    int32x4_t total[4];
    for (int i = 0; i < 4; ++i) {
      row[i] = (const int8_t*)a + (r + i < rows ? r + i : rows - 1) * a_step;
      total[i] = vdupq_n_s32(0);
    }
    int64_t k = 0;
    for (; k + 16 <= depth; k += 16) {
      for (int i = 0; i < 4; ++i) {
        total[i] = vpadalq_s16(total[i], vpaddlq_s8(vld1q_s8(row[i] + k)));
      }
    }
    if (k < depth) {
      const int8x16_t mask = vld1q_s8(kMask + 16 - (depth - k));
      for (int i = 0; i < 4; ++i) {
        total[i] = vpadalq_s16(total[i], vpaddlq_s8(vandq_s8(vld1q_s8(row[i] + k), mask)));
      }
    }
    vst1q_s32(sums + r, add_pairs(add_pairs(total[0], total[1]), add_pairs(total[2], total[3])));
  }
}

#if defined(__ARM_FEATURE_MATMUL_INT8)

constexpr int kMaxVectors = 4;
constexpr int kMaxRows = 8;
constexpr int most_rows(int vectors) { return vectors <= 2 ? 8 : 4; }

// Eight k of pairs of rows times those of pairs of channels: four sums in each vector.
template <int kRows, int kColumns>
LINNET_INLINE void add_eights(int32x4_t (&sum)[kRows][kColumns], const int8x16_t (&a)[kRows],
                              const int8_t* w) {
#pragma GCC unroll 8
  for (int n = 0; n < kColumns; ++n) {
    const int8x16_t b = vld1q_s8(w + 16 * n);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      // As an intrinsic GCC 12 moves sums about between registers.
      __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum[i][n]) : "w"(a[i]), "w"(b));
    }
  }
}

LINNET_INLINE int64x2_t longs(int8x16_t x) { return vreinterpretq_s64_s8(x); }
LINNET_INLINE int64x2_t longs(int32x4_t x) { return vreinterpretq_s64_s32(x); }

// An odd last row is multiplied twice.
template <int MR, int NV>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector) {
  constexpr int kPairs = (MR + 1) / 2;
  const int8_t* base[2 * kPairs];
#pragma GCC unroll 8
  for (int i = 0; i < 2 * kPairs; ++i) {
    base[i] = (const int8_t*)block.a + (row + (i < MR ? i : MR - 1)) * block.a_step;
  }
  const int8_t* w = block.weights + vector / 4 * block.panel_step + vector % 4 * 32;
  int32x4_t found[kPairs][2 * NV];
#pragma GCC unroll 4
  for (int i = 0; i < kPairs; ++i) {
#pragma GCC unroll 8
    for (int n = 0; n < 2 * NV; ++n) found[i][n] = vdupq_n_s32(0);
  }
  int8x16_t a[kPairs], b[kPairs];
  const auto add_one = [&](int64_t k) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int i = 0; i < kPairs; ++i) {
      a[i] = vcombine_s8(vld1_s8(base[2 * i] + k), vld1_s8(base[2 * i + 1] + k));
    }
    add_eights(found, a, w);
    w += 128;
  };
  const int64_t runs = block.segments * block.segment_steps;
  for (int64_t segment = 0; segment < runs; segment += block.segment_steps) {
    int64_t lanes = block.segment_steps, k = block.offsets[segment];
    for (; lanes >= 2; lanes -= 2, k += 16, w += 256) {
#pragma GCC unroll 4
      for (int i = 0; i < kPairs; ++i) {
        const int8x16_t x = vld1q_s8(base[2 * i] + k), y = vld1q_s8(base[2 * i + 1] + k);
        a[i] = vreinterpretq_s8_s64(vzip1q_s64(longs(x), longs(y)));
        b[i] = vreinterpretq_s8_s64(vzip2q_s64(longs(x), longs(y)));
      }
      add_eights(found, a, w);
      add_eights(found, b, w + 128);
    }
    if (lanes > 0) add_one(k);
  }
  for (int64_t step = runs; step < block.steps; ++step) add_one(block.offsets[step]);
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const int64x2_t x = longs(found[i / 2][2 * j]), y = longs(found[i / 2][2 * j + 1]);
      sum[i][j] += (I)(i % 2 == 0 ? vzip1q_s64(x, y) : vzip2q_s64(x, y));
    }
  }
}

#elif defined(__ARM_FEATURE_DOTPROD)

constexpr int kMaxVectors = 4;
constexpr int kMaxRows = 8;
constexpr int most_rows(int vectors) { return vectors <= 2 ? 8 : vectors == 3 ? 5 : 4; }

// One lane's worth, `kLane` of the activations in a.
template <int kLane, int MR, int NV>
LINNET_INLINE void add_lane(I (&sum)[MR][NV], const int8x16_t (&a)[MR], const int8_t* w) {
  int8x16_t b[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) b[j] = vld1q_s8(w + 16 * j);
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      sum[i][j] = (I)vdotq_laneq_s32(raw(sum[i][j]), b[j], a[i], kLane);
    }
  }
}

template <int MR, int NV>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector) {
  const int8_t* base[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) base[i] = (const int8_t*)block.a + (row + i) * block.a_step;
  const int8_t* w = block.weights + vector / 4 * block.panel_step + vector % 4 * 16;
  const int64_t runs = block.segments * block.segment_steps;
  for (int64_t segment = 0; segment < runs; segment += block.segment_steps) {
    const int64_t offset = block.offsets[segment];
    int64_t lanes = block.segment_steps, k = offset;
    int8x16_t a[MR];
    for (; lanes >= 4; lanes -= 4, k += 16, w += 256) {
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) a[i] = vld1q_s8(base[i] + k);
      add_lane<0>(sum, a, w);
      add_lane<1>(sum, a, w + 64);
      add_lane<2>(sum, a, w + 128);
      add_lane<3>(sum, a, w + 192);
    }
    if (lanes == 0) continue;
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) a[i] = vld1q_s8(base[i] + k);
    add_lane<0>(sum, a, w);
    if (lanes > 1) add_lane<1>(sum, a, w + 64);
    if (lanes > 2) add_lane<2>(sum, a, w + 128);
    w += 64 * lanes;
  }
  for (int64_t step = runs; step < block.steps; ++step, w += 64) {
    int8x16_t a[MR];
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i)
      a[i] = (int8x16_t)splat_i(load_word(base[i] + block.offsets[step]));
    add_lane<0>(sum, a, w);
  }
}

#else

constexpr int kMaxVectors = 1;
#if defined(__aarch64__)
constexpr int kMaxRows = 4;
#else
constexpr int kMaxRows = 2;
#endif
constexpr int most_rows(int) { return kMaxRows; }

}  // namespace LINNET_ISA
}  // namespace linnet
#if defined(__aarch64__)
#include "int8/sixteens_neon64.h"
#else
#include "int8/sixteens_neon32.h"
#endif
namespace linnet {
namespace LINNET_ISA {

// Only the last chunk may be half empty, and only where nothing follows it in another segment.
LINNET_INLINE SixteensS8 sixteens_of(const BlockS8& block, const int8_t* a, const int8_t* w) {
  const bool half = block.half && block.segments == 1 && block.steps == block.segment_steps;
  const int64_t less = half ? 1 : 0;
  return {a,
          block.a_step,
          w,
          block.offsets,
          block.steps - less,
          half,
          block.segment_steps - less,
          block.segments};
}

template <int MR, int NV>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector) {
  static_assert(NV == 1, "a vector is four channels");
  if (block.steps == 0) return;
  const int8_t* a = (const int8_t*)block.a + row * block.a_step;
  const int8_t* w = block.weights + vector / 4 * block.panel_step + vector % 4 * 64;
  const SixteensS8 job = sixteens_of(block, a, w);
  I found[MR];
  if (block.careful) {
    multiply_sixteens<MR, true>(found, job);
  } else {
    multiply_sixteens<MR, false>(found, job);
  }
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) sum[i][0] = (I)((U)sum[i][0] + (U)found[i]);
}

#endif

// Rows of the tiles of so many vectors that are written by hand, and those: `count` tiles; or whole
// strips, up to the vector that `strips_by_hand` returns. Outputs of fewer channels than the tile's
// take a detour.
#if defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_FEATURE_MATMUL_INT8)

}  // namespace LINNET_ISA
}  // namespace linnet
#include "int8/quads_neon64.h"
namespace linnet {
namespace LINNET_ISA {

#elif defined(__aarch64__) && !defined(__ARM_FEATURE_DOTPROD)

}  // namespace LINNET_ISA
}  // namespace linnet
#include "int8/overlapped_neon64.h"
namespace linnet {
namespace LINNET_ISA {

constexpr int rows_by_hand(int) { return 4; }
constexpr int kMostTiles = 96;

static FourRowsOutput four_rows_output(const BlockS8& block, int channel) {
  const OutputS8& to = block.output;
  FourRowsOutput out;
  out.bias = vld1q_s32(to.bias + channel);
  out.scale = vld1q_f32(to.scale + channel);
  out.low = vdupq_n_s8((int8_t)to.low);
  out.high = vdupq_n_s8((int8_t)to.high);
  out.zero = vdupq_n_s16((int16_t)to.zero);
  if (block.row_sums != nullptr) out.weight_zero = vld1q_s32(to.weight_zero + channel);
  return out;
}

LINNET_INLINE const int8_t* sixteens_weights(const BlockS8& block, int vector) {
  return block.weights + vector / 4 * block.panel_step + vector % 4 * 64;
}

static bool tiles_by_hand(const BlockS8& block, int row, int count, int vector) {
  if (block.careful || block.steps == 0) return false;
  const int channel = vector * kLanes;
  SixteensS8 job = sixteens_of(block, (const int8_t*)block.a + row * block.a_step,
                               sixteens_weights(block, vector));
  if (job.chunks == 0) job.chunks = job.run = 1, job.half = false;
  FourRowsOutput out = four_rows_output(block, channel);
  const int32_t* sums = block.row_sums;
  if (sums != nullptr) sums += row;
  const auto tiles = sums != nullptr ? four_rows<true> : four_rows<false>;
  int8_t* y = block.y + row * block.y_step + channel;
  const int left = block.channels - channel;
  if (left >= kLanes) {
    tiles(job, out, sums, count, y, block.y_step);
    return true;
  }
  for (; count > 0; --count, job.a += 4 * block.a_step) {
    int8_t bytes[16];
    tiles(job, out, sums, 1, bytes, 4);
    if (sums != nullptr) sums += 4;
    for (int i = 0; i < 4; ++i, y += block.y_step) {
      for (int n = 0; n < left; ++n) y[n] = bytes[4 * i + n];
    }
  }
  return true;
}

// Tiles against one vector of channels; another one follows them.
static void overlapped_tiles(const BlockS8& block, const TileS8* tiles, int count, int vector) {
  const int channel = vector * kLanes, left = block.channels - channel;
  const SixteensS8 job =
      sixteens_of(block, (const int8_t*)block.a, sixteens_weights(block, vector));
  const FourRowsOutput out = four_rows_output(block, channel);
  const int32_t* sums = block.row_sums;
  const auto rows =
      sums != nullptr ? overlapped_rows_of<true>(job) : overlapped_rows_of<false>(job);
  int8_t* y = block.y + channel;
  if (left >= kLanes) return rows(job, out, sums, tiles, count, y, block.y_step);
  for (const TileS8* end = tiles + count; tiles < end; ++tiles) {
    const TileS8 tile = {0, tiles->a, tiles->row}, twice[2] = {tile, tile};
    int8_t bytes[16];
    rows(job, out, sums, twice, 1, bytes, 4);
    for (int i = 0; i < 4; ++i) {
      memcpy(y + tiles->y + i * block.y_step, bytes + 4 * i, (size_t)left);
    }
  }
}

// A last tile of few rows makes some of those before it once more.
static int strips_by_hand(const BlockS8& block, const StripsS8& strips, int rows, int begin,
                          int end) {
  if (block.careful || block.steps == 0 || rows < 4 || core_in_order()) return begin;
  TileS8 tiles[kMostTiles + 1];
  int count = 0;
  for (int64_t strip = 0; strip < strips.count; ++strip) {
    for (int next = 0; next < rows; next += 4) {
      const int row = next + 4 <= rows ? next : rows - 4;
      tiles[count++] = {strip * strips.y_step + row * block.y_step,
                        (int32_t)(strip * strips.a_step + row * block.a_step), row};
      if (count < kMostTiles && (next + 4 < rows || strip + 1 < strips.count)) continue;
      tiles[count] = tiles[count - 1];
      for (int vector = begin; vector < end; ++vector) {
        overlapped_tiles(block, tiles, count, vector);
      }
      count = 0;
    }
  }
  return end;
}

#else

static inline int strips_by_hand(const BlockS8&, const StripsS8&, int, int begin, int) {
  return begin;
}

#endif

#if defined(__ARM_FEATURE_DOTPROD) || !defined(__aarch64__)
constexpr int rows_by_hand(int) { return 0; }
static inline bool tiles_by_hand(const BlockS8&, int, int, int) { return false; }
#endif

// Vectors of the next tile; tiles do not straddle panels.
LINNET_INLINE int next_vectors(int left) { return left < kMaxVectors ? left : kMaxVectors; }

// As without `beside`, which is for machines that ask to be told what they read next.
template <int MR, int NV, class Beside>
LINNET_INLINE void add_products(I (&sum)[MR][NV], const BlockS8& block, int row, int vector,
                                Beside) {
  add_products(sum, block, row, vector);
}

}  // namespace LINNET_ISA
}  // namespace linnet
