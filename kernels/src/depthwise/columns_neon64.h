// A row of outputs of a depthwise kernel of three columns by hand: three columns of the image stay
// in registers while it moves along.
#pragma once

#include "core/order.h"
#include "depthwise/image_rows.h"
#include "simd/additions.h"

#if defined(__aarch64__)

namespace linnet {
namespace LINNET_ISA {

#define LINNET_ON_SUMS(op, w0, w1, w2, w3)                                   \
  op " v12.4s, v12.4s, v" #w0 ".4s\n" op " v13.4s, v13.4s, v" #w1 ".4s\n" op \
     " v14.4s, v14.4s, v" #w2 ".4s\n" op " v15.4s, v15.4s, v" #w3 ".4s\n"

#if defined(__ARM_FEATURE_DOTPROD)

// v0-3, v4-7 and v8-11 hold the columns, four taps of a channel side by side, v16-27 the weights.
// Additions round (simd/additions.h).
constexpr int kRowWeights = 12;  // vectors
namespace {
struct RowConstants {
  I bias[4];  // and kSumBits
  F scale[4];
  F rounding, shifted;  // shifted by the zero point, which is even
};
}  // namespace
#define LINNET_A 0, 1, 2, 3
#define LINNET_B 4, 5, 6, 7
#define LINNET_C 8, 9, 10, 11
#define LINNET_COLUMN(c0, c1, c2, c3)                                 \
  "ld1 {v12.16b}, [%[r0]], %[s0]\n ld1 {v13.16b}, [%[r1]], %[s1]\n"   \
  "ld1 {v14.16b}, [%[r2]], %[s2]\n ld1 {v15.16b}, [%[r3]], %[s3]\n"   \
  "zip1 v30.16b, v12.16b, v13.16b\n zip2 v31.16b, v12.16b, v13.16b\n" \
  "zip1 v12.16b, v14.16b, v15.16b\n zip2 v13.16b, v14.16b, v15.16b\n" \
  "zip1 v" #c0 ".8h, v30.8h, v12.8h\n zip2 v" #c1                     \
  ".8h, v30.8h, v12.8h\n"                                             \
  "zip1 v" #c2 ".8h, v31.8h, v13.8h\n zip2 v" #c3 ".8h, v31.8h, v13.8h\n"
#define LINNET_PADDING(c0, c1, c2, c3)        \
  "dup v" #c0 ".16b, %w[padding]\n dup v" #c1 \
  ".16b, %w[padding]\n"                       \
  "dup v" #c2 ".16b, %w[padding]\n dup v" #c3 ".16b, %w[padding]\n"
#define LINNET_TAPS(c0, c1, c2, c3, w0, w1, w2, w3)                            \
  "sdot v12.4s, v" #c0 ".16b, v" #w0 ".16b\n sdot v13.4s, v" #c1 ".16b, v" #w1 \
  ".16b\n"                                                                     \
  "sdot v14.4s, v" #c2 ".16b, v" #w2 ".16b\n sdot v15.4s, v" #c3 ".16b, v" #w3 ".16b\n"
#define LINNET_START "ldp q12, q13, [%[constants]]\n ldp q14, q15, [%[constants], #32]\n"
#define LINNET_STORE                     \
  LINNET_ON_SUMS("fsub", 28, 28, 28, 28) \
  "ldp q30, q31, [%[constants], #64]\n"                                                     \
  "fmul v12.4s, v12.4s, v30.4s\n fmul v13.4s, v13.4s, v31.4s\n"                             \
  "ldp q30, q31, [%[constants], #96]\n"                                                     \
  "fmul v14.4s, v14.4s, v30.4s\n fmul v15.4s, v15.4s, v31.4s\n"                             \
  LINNET_ON_SUMS("fadd", 29, 29, 29, 29)                                                    \
  "uzp1 v12.8h, v12.8h, v13.8h\n uzp1 v14.8h, v14.8h, v15.8h\n"                             \
  "sqxtn v12.8b, v12.8h\n sqxtn2 v12.16b, v14.8h\n"                                         \
  "str q12, [%[y]]\n add %[y], %[y], %[step]\n"
#define LINNET_SUMS(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3) \
  LINNET_START LINNET_TAPS(a0, a1, a2, a3, 16, 17, 18, 19)          \
      LINNET_TAPS(b0, b1, b2, b3, 20, 21, 22, 23) LINNET_TAPS(c0, c1, c2, c3, 24, 25, 26, 27)

#else

// v0-2, v3-5 and v6-8 hold the columns, a row each, v16-24 the weights. Products of two taps add up
// in 16 bits.
constexpr int kRowWeights = 9;  // vectors
namespace {
struct RowConstants {
  I bias[4];
  F scale[4];
  int16x8_t zero;
  int8x16_t low, high;
};
}  // namespace
#define LINNET_A 0, 1, 2
#define LINNET_B 3, 4, 5
#define LINNET_C 6, 7, 8
#define LINNET_COLUMN(c0, c1, c2)                             \
  "ldr q" #c0 ", [%[r0]]\n ldr q" #c1 ", [%[r1]]\n ldr q" #c2 \
  ", [%[r2]]\n"                                               \
  "add %[r0], %[r0], %[s0]\n add %[r1], %[r1], %[s1]\n add %[r2], %[r2], %[s2]\n"
#define LINNET_PADDING(c0, c1, c2)                                            \
  "dup v" #c0 ".16b, %w[padding]\n dup v" #c1 ".16b, %w[padding]\n dup v" #c2 \
  ".16b, "                                                                    \
  "%w[padding]\n"
#define LINNET_MULTIPLY(op, low, high, x, w) \
  #op " v" #low ".8h, v" #x ".8b, v" #w ".8b\n" #op "2 v" #high ".8h, v" #x ".16b, v" #w ".16b\n"
#define LINNET_WIDEN(low, high)                                        \
  "saddw v12.4s, v12.4s, v" #low ".4h\n saddw2 v13.4s, v13.4s, v" #low \
  ".8h\n"                                                              \
  "saddw v14.4s, v14.4s, v" #high ".4h\n saddw2 v15.4s, v15.4s, v" #high ".8h\n"
#define LINNET_PAIR(low, high, x, v, y, w) \
  LINNET_MULTIPLY(smull, low, high, x, v) LINNET_MULTIPLY(smlal, low, high, y, w)
#define LINNET_SUMS(a0, a1, a2, b0, b1, b2, c0, c1, c2)                                            \
  LINNET_PAIR(9, 10, a0, 16, b0, 17)                                                               \
  "ldr q12, [%[constants]]\n ldr q13, [%[constants], #16]\n" LINNET_PAIR(                          \
      11, 25, c0, 18, a1,                                                                          \
      19) "ldr q14, [%[constants], #32]\n ldr q15, [%[constants], #48]\n" LINNET_WIDEN(9, 10)      \
      LINNET_PAIR(26, 27, b1, 20, c1, 21) LINNET_WIDEN(11, 25) LINNET_PAIR(30, 31, a2, 22, b2, 23) \
          LINNET_WIDEN(26, 27) LINNET_MULTIPLY(smull, 9, 10, c2, 24) LINNET_WIDEN(30, 31)          \
              LINNET_WIDEN(9, 10)
#define LINNET_ON_EACH(op) \
  op " v12.4s, v12.4s\n" op " v13.4s, v13.4s\n" op " v14.4s, v14.4s\n" op " v15.4s, v15.4s\n"
#define LINNET_STORE \
  "ldr q9, [%[constants], #64]\n ldr q10, [%[constants], #80]\n"     \
  LINNET_ON_EACH("scvtf")                                            \
  "ldr q11, [%[constants], #96]\n ldr q25, [%[constants], #112]\n"   \
  LINNET_ON_SUMS("fmul", 9, 10, 11, 25) LINNET_ON_EACH("fcvtns")     \
  "sqxtn v26.4h, v12.4s\n sqxtn v27.4h, v14.4s\n"                    \
  "sqxtn2 v26.8h, v13.4s\n sqxtn2 v27.8h, v15.4s\n"                  \
  "sqadd v26.8h, v26.8h, v28.8h\n sqadd v27.8h, v27.8h, v28.8h\n"    \
  "sqxtn v30.8b, v26.8h\n sqxtn2 v30.16b, v27.8h\n"                  \
  ".if %c[clips]\n"                                                  \
  "ldr q9, [%[constants], #160]\n"                                   \
  "smax v30.16b, v30.16b, v29.16b\n smin v30.16b, v30.16b, v9.16b\n" \
  ".endif\n"                                                         \
  "str q30, [%[y]]\n add %[y], %[y], %[step]\n"

#endif

// Columns are named by the registers that hold them.
#define LINNET_WITH(macro, ...) macro(__VA_ARGS__)
#define LINNET_NEXT(...) LINNET_WITH(LINNET_COLUMN, __VA_ARGS__)
#define LINNET_PAD(...) LINNET_WITH(LINNET_PADDING, __VA_ARGS__)
#define LINNET_OUTPUT(...) LINNET_WITH(LINNET_SUMS, __VA_ARGS__) LINNET_STORE
// The last output, whose last column is padding.
#define LINNET_LAST(A, B, C) LINNET_PAD(C) LINNET_OUTPUT(A, B, C) "b 9f\n"

// Whether outputs read at most one column of padding at either end.
static bool ends_are_narrow(const DepthwiseShape& s) {
  const int64_t last = (int64_t)s.stride_w * (s.out_width - 1) + 2 - s.left;
  return s.left <= 1 && last <= s.width && s.width >= 2 && s.out_width >= 2;
}

template <bool kClips>
static void row_by_hand(const DepthwiseShape& s, const ImageRows& rows,
                        const RowConstants& constants, const int8_t* weights, int8_t* y) {
  const int8_t *r0 = rows.row[0], *r1 = rows.row[1], *r2 = rows.row[2], *r3 = rows.row[3];
  const int64_t last = (int64_t)s.stride_w * (s.out_width - 1) + 2 - s.left;
  const int64_t right = last >= s.width, left = s.left;
  int64_t count = s.out_width - right;
  __asm__ volatile(
      "ldp q16, q17, [%[weights]]\n ldp q18, q19, [%[weights], #32]\n"
      "ldp q20, q21, [%[weights], #64]\n ldp q22, q23, [%[weights], #96]\n"
      "ldr q24, [%[weights], #128]\n"
      ".if %c[more_weights]\n"
      "ldr q25, [%[weights], #144]\n ldp q26, q27, [%[weights], #160]\n"
      ".endif\n"
      "ldp q28, q29, [%[constants], #128]\n"
      "cbnz %[left], 1f\n" LINNET_NEXT(LINNET_A)
      "b 2f\n"
      "1:\n" LINNET_PAD(LINNET_A)
      "2:\n"
      "cmp %[stride], #2\n"
      "b.eq 5f\n" LINNET_NEXT(LINNET_B)
      ".p2align 4\n"
      "3:\n" LINNET_NEXT(LINNET_C) LINNET_OUTPUT(LINNET_A, LINNET_B, LINNET_C)
      "subs %[count], %[count], #1\n"
      "b.eq 7f\n" LINNET_NEXT(LINNET_A) LINNET_OUTPUT(LINNET_B, LINNET_C, LINNET_A)
      "subs %[count], %[count], #1\n"
      "b.eq 8f\n" LINNET_NEXT(LINNET_B) LINNET_OUTPUT(LINNET_C, LINNET_A, LINNET_B)
      "subs %[count], %[count], #1\n"
      "b.ne 3b\n"
      "cbz %[right], 9f\n" LINNET_LAST(LINNET_A, LINNET_B, LINNET_C)
      "7: cbz %[right], 9f\n" LINNET_LAST(LINNET_B, LINNET_C, LINNET_A)
      "8: cbz %[right], 9f\n" LINNET_LAST(LINNET_C, LINNET_A, LINNET_B)
      "5:\n"
      ".p2align 4\n"
      "10:\n" LINNET_NEXT(LINNET_B) LINNET_NEXT(LINNET_C)
      LINNET_OUTPUT(LINNET_A, LINNET_B, LINNET_C)
      "subs %[count], %[count], #1\n"
      "b.eq 12f\n" LINNET_NEXT(LINNET_B) LINNET_NEXT(LINNET_A)
      LINNET_OUTPUT(LINNET_C, LINNET_B, LINNET_A)
      "subs %[count], %[count], #1\n"
      "b.ne 10b\n"
      "cbz %[right], 9f\n" LINNET_NEXT(LINNET_B) LINNET_LAST(LINNET_A, LINNET_B, LINNET_C)
      "12: cbz %[right], 9f\n" LINNET_NEXT(LINNET_B) LINNET_LAST(LINNET_C, LINNET_B, LINNET_A)
      "9:\n"
      : [r0] "+&r"(r0), [r1] "+&r"(r1), [r2] "+&r"(r2), [r3] "+&r"(r3), [y] "+&r"(y),
        [count] "+&r"(count)
      : [s0] "r"(rows.step[0]), [s1] "r"(rows.step[1]), [s2] "r"(rows.step[2]),
        [s3] "r"(rows.step[3]), [constants] "r"(&constants), [weights] "r"(weights),
        [step] "r"((int64_t)s.outputs), [padding] "r"((int)*rows.padding), [left] "r"(left),
        [right] "r"(right), [stride] "r"((int64_t)s.stride_w),
        [more_weights] "i"(kRowWeights > 9), [clips] "i"(kClips)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
        "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

static RowConstants row_constants(const DepthwiseS8Params& p, int block) {
  RowConstants constants;
  for (int n = 0; n < 4; ++n) {
    const ptrdiff_t place = (ptrdiff_t)block * kUnit + n * kLanes;
    constants.bias[n] = load_i(p.bias + place);
    constants.scale[n] = load_f(p.scale + place);
  }
#if defined(__ARM_FEATURE_DOTPROD)
  for (int n = 0; n < 4; ++n) constants.bias[n] += splat_i(kSumBits);
  constants.rounding = splat_f(kRounding);
  constants.shifted = splat_f(kRounding + (float)p.zero_out);
#else
  constants.zero = vdupq_n_s16((int16_t)p.zero_out);
  constants.low = vdupq_n_s8((int8_t)p.low);
  constants.high = vdupq_n_s8((int8_t)p.high);
#endif
  return constants;
}

template <bool kClips>
static void rows_by_hand(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  int8_t padding[kUnit];
  for (int n = 0; n < kUnit; ++n) padding[n] = (int8_t)p.zero_in;
  RowConstants constants;
  int block = -1;
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool) {
    if (t.block != block) constants = row_constants(p, block = t.block);
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs + t.channel;
    const int8_t* weights = (const int8_t*)p.weights + (ptrdiff_t)t.block * kRowWeights * kUnit;
    row_by_hand<kClips>(s, image_rows(s, x, i, t.channel, padding), constants, weights, y);
  });
}

// Makes the convolution by hand, or leaves it: with dot products where outputs are not rounded by
// additions and clipped by saturation; without on cores in order, which need outputs that take
// turns.
static bool columns_by_hand(const DepthwiseS8Params& p, const Worker& w) {
  if (!ends_are_narrow(p.shape)) return false;
  const bool clips = p.low > -128 || p.high < 127;
#if defined(__ARM_FEATURE_DOTPROD)
  if (!p.small || !p.words || p.zero_out % 2 != 0 || clips) return false;
#else
  if (p.wide || core_in_order()) return false;
  if (clips) return rows_by_hand<true>(p, w), true;
#endif
  rows_by_hand<false>(p, w);
  return true;
}

}  // namespace LINNET_ISA
}  // namespace linnet

#endif
