// Tiles of four rows by sixteen channels with dot products, by hand: v0-3 hold activations, v4-7
// weights, v16-31 the sums, row by row. Scaled sums are small (see OutputS8), so that additions
// round them (simd/additions.h).
#pragma once

#include "simd/additions.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct QuadsOutput {
  int32x4_t bias[4];  // and kSumBits where sums are small
  float32x4_t scale[4];
  float32x4_t rounding, shifted;  // shifted by the zero point where that is even
  int16x8_t zero;                 // added where it is not, or where outputs are not words
  int8x16_t low, high;
  int64_t odd, clips;         // whether zero, or the bounds, matter
  int64_t converts, narrows;  // whether sums are not small, or outputs not words
};
}  // namespace

#define LINNET_DOT4(s0, s1, s2, s3, w, lane)    \
  "sdot v" #s0 ".4s, v" #w ".16b, v0.4b[" #lane \
  "]\n"                                         \
  "sdot v" #s1 ".4s, v" #w ".16b, v1.4b[" #lane \
  "]\n"                                         \
  "sdot v" #s2 ".4s, v" #w ".16b, v2.4b[" #lane \
  "]\n"                                         \
  "sdot v" #s3 ".4s, v" #w ".16b, v3.4b[" #lane "]\n"
// One lane's worth: `at` and `behind` are the places of its weights.
#define LINNET_LANE(lane, at, behind)                                                   \
  "ldp q4, q5, [%[w], #" #at                                                            \
  "]\n" LINNET_DOT4(16, 20, 24, 28, 4, lane) "ldp q6, q7, [%[w], #" #behind             \
                                             "]\n" LINNET_DOT4(17, 21, 25, 29, 5, lane) \
                                                 LINNET_DOT4(18, 22, 26, 30, 6, lane)   \
                                                     LINNET_DOT4(19, 23, 27, 31, 7, lane)
#define LINNET_ROWS                                 \
  "ldr q0, [%[a0], %[k]]\n ldr q1, [%[a1], %[k]]\n" \
  "ldr q2, [%[a2], %[k]]\n ldr q3, [%[a3], %[k]]\n"
#define LINNET_EACH4(op, n0, n1, n2, n3, with0, with1, with2, with3)                        \
  op " v" #n0 ".4s, v" #n0 ".4s, v" #with0 ".4s\n" op " v" #n1 ".4s, v" #n1 ".4s, v" #with1 \
     ".4s\n" op " v" #n2 ".4s, v" #n2 ".4s, v" #with2 ".4s\n" op " v" #n3 ".4s, v" #n3      \
     ".4s, v" #with3 ".4s\n"
#define LINNET_TO_FLOAT(n0, n1, n2, n3) LINNET_EACH4("fsub", n0, n1, n2, n3, 4, 4, 4, 4)
#define LINNET_CONVERT(n0, n1, n2, n3)                        \
  "scvtf v" #n0 ".4s, v" #n0 ".4s\n scvtf v" #n1 ".4s, v" #n1 \
  ".4s\n"                                                     \
  "scvtf v" #n2 ".4s, v" #n2 ".4s\n scvtf v" #n3 ".4s, v" #n3 ".4s\n"
#define LINNET_SCALE(n0, n1, n2, n3)               \
  LINNET_EACH4("fmul", n0, n1, n2, n3, 0, 1, 2, 3) \
  LINNET_EACH4("fadd", n0, n1, n2, n3, 5, 5, 5, 5)
// The scaled sums of a row as 16-bit numbers in the first and third of its registers.
#define LINNET_WORDS(n0, n1, n2, n3)     \
  "uzp1 v" #n0 ".8h, v" #n0 ".8h, v" #n1 \
  ".8h\n"                                \
  "uzp1 v" #n2 ".8h, v" #n2 ".8h, v" #n3 ".8h\n"
#define LINNET_SATURATE(n0, n1, n2, n3)                        \
  LINNET_EACH4("sub", n0, n1, n2, n3, 4, 4, 4, 4)              \
  "sqxtn v" #n0 ".4h, v" #n0 ".4s\n sqxtn2 v" #n0 ".8h, v" #n1 \
  ".4s\n"                                                      \
  "sqxtn v" #n2 ".4h, v" #n2 ".4s\n sqxtn2 v" #n2 ".8h, v" #n3 ".4s\n"
#define LINNET_ALL(what) \
  what(16, 17, 18, 19) what(20, 21, 22, 23) what(24, 25, 26, 27) what(28, 29, 30, 31)
#define LINNET_ADD_ZERO(n0, n2) \
  "sqadd v" #n0 ".8h, v" #n0    \
  ".8h, v6.8h\n"                \
  "sqadd v" #n2 ".8h, v" #n2 ".8h, v6.8h\n"
#define LINNET_NARROW(n0, n2) "sqxtn v" #n0 ".8b, v" #n0 ".8h\n sqxtn2 v" #n0 ".16b, v" #n2 ".8h\n"
#define LINNET_CLIP(n) \
  "smax v" #n ".16b, v" #n ".16b, v6.16b\n smin v" #n ".16b, v" #n ".16b, v7.16b\n"

// `count` tiles of four rows, `lanes` lanes' worth of k in each of `segments` runs.
static void four_rows_of_quads(const BlockS8& block, const int8_t* a0, const int8_t* weights,
                               const QuadsOutput& out, int64_t count, int8_t* y, int64_t y_step) {
  const int8_t *a1, *a2, *a3, *w;
  const int32_t* o;
  int64_t k, n, segment;
  __asm__ volatile(
      "1:\n"
      "ldp q16, q17, [%[out]]\n ldp q18, q19, [%[out], #32]\n"
      "ldp q20, q21, [%[out]]\n ldp q22, q23, [%[out], #32]\n"
      "add %[a1], %[a0], %[a_step]\n"
      "add %[a2], %[a0], %[a_step], lsl #1\n"
      "ldp q24, q25, [%[out]]\n ldp q26, q27, [%[out], #32]\n"
      "ldp q28, q29, [%[out]]\n ldp q30, q31, [%[out], #32]\n"
      "add %[a3], %[a1], %[a_step], lsl #1\n"
      "mov %[w], %[weights]\n"
      "mov %[o], %[offsets]\n"
      "mov %[segment], %[segments]\n"
      "2:\n"
      "ldrsw %[k], [%[o]]\n"
      "add %[o], %[o], %[lanes], lsl #2\n"
      "subs %[n], %[lanes], #4\n"
      "b.lt 4f\n"
      ".p2align 4\n"
      "3:\n" LINNET_ROWS
      "subs %[n], %[n], #4\n"
      "add %[k], %[k], #16\n" LINNET_LANE(0, 0, 32) LINNET_LANE(1, 64, 96)
      LINNET_LANE(2, 128, 160) LINNET_LANE(3, 192, 224)
      "add %[w], %[w], #256\n"
      "b.ge 3b\n"
      "4:\n"
      "adds %[n], %[n], #4\n"
      "b.eq 6f\n" LINNET_ROWS LINNET_LANE(0, 0, 32)
      "add %[w], %[w], %[n], lsl #6\n"
      "subs %[n], %[n], #2\n"
      "b.lt 6f\n"
      "b.gt 5f\n" LINNET_LANE(1, -64, -32)
      "b 6f\n"
      "5:\n" LINNET_LANE(1, -128, -96) LINNET_LANE(2, -64, -32)
      "6:\n"
      "subs %[segment], %[segment], #1\n"
      "b.ne 2b\n"
      "ldp q0, q1, [%[out], #64]\n ldp q2, q3, [%[out], #96]\n"
      "ldp %[k], %[n], [%[out], #208]\n"
      "ldp q4, q5, [%[out], #128]\n"
      "ldp %[o], %[segment], [%[out], #224]\n"
      "cbnz %[o], 9f\n" LINNET_ALL(LINNET_TO_FLOAT)
      "10:\n" LINNET_ALL(LINNET_SCALE)
      "cbnz %[segment], 11f\n" LINNET_ALL(LINNET_WORDS)
      "12:\n"
      "cbz %[k], 7f\n"
      "ldr q6, [%[out], #160]\n"
      LINNET_ADD_ZERO(16, 18) LINNET_ADD_ZERO(20, 22) LINNET_ADD_ZERO(24, 26) LINNET_ADD_ZERO(28, 30)
      "7:\n"
      LINNET_NARROW(16, 18) LINNET_NARROW(20, 22) LINNET_NARROW(24, 26) LINNET_NARROW(28, 30)
      "cbz %[n], 8f\n"
      "ldp q6, q7, [%[out], #176]\n"
      LINNET_CLIP(16) LINNET_CLIP(20) LINNET_CLIP(24) LINNET_CLIP(28)
      "8:\n"
      "str q16, [%[y]]\n"
      "str q20, [%[y], %[y_step]]\n"
      "add %[y], %[y], %[y_step], lsl #1\n"
      "add %[a0], %[a0], %[a_step], lsl #2\n"
      "str q24, [%[y]]\n"
      "str q28, [%[y], %[y_step]]\n"
      "add %[y], %[y], %[y_step], lsl #1\n"
      "subs %[count], %[count], #1\n"
      "b.ne 1b\n"
      "b 13f\n"
      "9:\n" LINNET_ALL(LINNET_CONVERT)
      "b 10b\n"
      "11:\n" LINNET_ALL(LINNET_SATURATE)
      "b 12b\n"
      "13:\n"
      : [a0] "+&r"(a0), [y] "+&r"(y), [count] "+&r"(count), [a1] "=&r"(a1), [a2] "=&r"(a2),
        [a3] "=&r"(a3), [w] "=&r"(w), [o] "=&r"(o), [k] "=&r"(k), [n] "=&r"(n),
        [segment] "=&r"(segment)
      : [a_step] "r"(block.a_step), [weights] "r"(weights), [offsets] "r"(block.offsets),
        [segments] "r"(block.segments), [lanes] "r"(block.segment_steps), [out] "r"(&out),
        [y_step] "r"(y_step)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19",
        "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

static QuadsOutput quads_output(const OutputS8& to, int channel) {
  QuadsOutput out;
  for (int n = 0; n < 4; ++n) {
    out.bias[n] = raw(load_i(to.bias + channel + 4 * n) + splat_i(to.small_sums ? kSumBits : 0));
    out.scale[n] = load_f(to.scale + channel + 4 * n);
  }
  out.odd = to.zero % 2 != 0 || !to.word_outputs;
  out.rounding = splat_f(kRounding);
  out.shifted = splat_f(out.odd ? kRounding : kRounding + (float)to.zero);
  out.zero = vdupq_n_s16((int16_t)to.zero);
  out.low = vdupq_n_s8((int8_t)to.low);
  out.high = vdupq_n_s8((int8_t)to.high);
  out.clips = to.low > -128 || to.high < 127;
  out.converts = !to.small_sums;
  out.narrows = !to.word_outputs;
  return out;
}

}  // namespace LINNET_ISA
}  // namespace linnet
