// Tiles of four rows by sixteen channels with dot products, by hand: v0-3 hold activations, v4-7
// weights, v16-31 the sums, row by row. Scaled sums are small (see OutputS8), so that additions
// round them (simd/additions.h).
#pragma once

#include "simd/additions.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct QuadsOutput {
  int32x4_t bias[4];  // and kSumBits, but where sums are converted
  float32x4_t scale[4];
  float32x4_t rounding, shifted;  // shifted by the zero point where that is even
  int16x8_t zero;                 // added where it is not, or where outputs are not words
  int8x16_t low, high;
};
// What an output's kind leaves out of the way from sums to bytes.
enum QuadsKind { kQuadsOdd = 1, kQuadsClips = 2, kQuadsConverts = 4 };
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

// `count` tiles of four rows, over runs of k of fours of lanes' worth and kRest more. kKind:
// whether the zero point is odd, the bounds matter, and sums or outputs are too large for additions
// alone.
template <int kKind, int kRest>
__attribute__((aligned(1024))) static void four_rows_of_quads(const BlockS8& block,
                                                              const int8_t* a0,
                                                              const int8_t* weights,
                                                              const QuadsOutput& out, int64_t count,
                                                              int8_t* y, int64_t y_step) {
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
      ".if %c[rest]\n"
      "mov %[segment], %[segments]\n"
      "2:\n"
      "subs %[n], %[lanes], #4\n"
      "b.lt 4f\n"
      ".else\n"
      "sub %[n], %[steps], #4\n"
      ".endif\n"
      "3:\n"
      "ldrsw %[k], [%[o]], #16\n" LINNET_ROWS
      "subs %[n], %[n], #4\n" LINNET_LANE(0, 0, 32) LINNET_LANE(1, 64, 96)
      LINNET_LANE(2, 128, 160) LINNET_LANE(3, 192, 224)
      "add %[w], %[w], #256\n"
      "b.ge 3b\n"
      "4:\n"
      ".if %c[rest]\n"
      "ldrsw %[k], [%[o]], #4 * %c[rest]\n" LINNET_ROWS LINNET_LANE(0, 0, 32)
      ".if %c[rest] > 1\n" LINNET_LANE(1, 64, 96)
      ".endif\n"
      ".if %c[rest] > 2\n" LINNET_LANE(2, 128, 160)
      ".endif\n"
      "add %[w], %[w], #64 * %c[rest]\n"
      "subs %[segment], %[segment], #1\n"
      "b.ne 2b\n"
      ".endif\n"
      "ldp q0, q1, [%[out], #64]\n ldp q2, q3, [%[out], #96]\n"
      "ldp q4, q5, [%[out], #128]\n"
      ".if %c[converts]\n" LINNET_ALL(LINNET_CONVERT)
      ".else\n" LINNET_ALL(LINNET_TO_FLOAT)
      ".endif\n" LINNET_ALL(LINNET_SCALE)
      ".if %c[converts]\n" LINNET_ALL(LINNET_SATURATE)
      ".else\n" LINNET_ALL(LINNET_WORDS)
      ".endif\n"
      ".if %c[odd]\n"
      "ldr q6, [%[out], #160]\n"
      LINNET_ADD_ZERO(16, 18) LINNET_ADD_ZERO(20, 22)
      LINNET_ADD_ZERO(24, 26) LINNET_ADD_ZERO(28, 30)
      ".endif\n"
      LINNET_NARROW(16, 18) LINNET_NARROW(20, 22) LINNET_NARROW(24, 26) LINNET_NARROW(28, 30)
      ".if %c[clips]\n"
      "ldp q6, q7, [%[out], #176]\n"
      LINNET_CLIP(16) LINNET_CLIP(20) LINNET_CLIP(24) LINNET_CLIP(28)
      ".endif\n"
      "str q16, [%[y]]\n"
      "str q20, [%[y], %[y_step]]\n"
      "add %[y], %[y], %[y_step], lsl #1\n"
      "add %[a0], %[a0], %[a_step], lsl #2\n"
      "str q24, [%[y]]\n"
      "str q28, [%[y], %[y_step]]\n"
      "add %[y], %[y], %[y_step], lsl #1\n"
      "subs %[count], %[count], #1\n"
      "b.ne 1b\n"
      : [a0] "+&r"(a0), [y] "+&r"(y), [count] "+&r"(count), [a1] "=&r"(a1), [a2] "=&r"(a2),
        [a3] "=&r"(a3), [w] "=&r"(w), [o] "=&r"(o), [k] "=&r"(k), [n] "=&r"(n),
        [segment] "=&r"(segment)
      : [a_step] "r"(block.a_step), [weights] "r"(weights), [offsets] "r"(block.offsets),
        [segments] "r"(block.segments), [lanes] "r"(block.segment_steps), [steps] "r"(block.steps),
        [out] "r"(&out), [y_step] "r"(y_step), [odd] "i"(kKind & kQuadsOdd),
        [clips] "i"(kKind & kQuadsClips),
        [converts] "i"(kKind & kQuadsConverts), [rest] "i"(kRest)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19",
        "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

using QuadsTiles = void (*)(const BlockS8&, const int8_t*, const int8_t*, const QuadsOutput&,
                            int64_t, int8_t*, int64_t);
template <int kRest>
static QuadsTiles quads_tiles(int kind) {
  constexpr int kBoth = kQuadsOdd | kQuadsClips;
  if (kind & kQuadsConverts) return four_rows_of_quads<kBoth | kQuadsConverts, kRest>;
  if (kind == kBoth) return four_rows_of_quads<kBoth, kRest>;
  if (kind == kQuadsOdd) return four_rows_of_quads<kQuadsOdd, kRest>;
  if (kind == kQuadsClips) return four_rows_of_quads<kQuadsClips, kRest>;
  return four_rows_of_quads<0, kRest>;
}

static QuadsTiles quads_tiles(int kind, int64_t rest) {
  return rest == 0   ? quads_tiles<0>(kind)
         : rest == 1 ? quads_tiles<1>(kind)
         : rest == 2 ? quads_tiles<2>(kind)
                     : quads_tiles<3>(kind);
}

static int quads_kind(const OutputS8& to) {
  if (!to.small_sums || !to.word_outputs) return kQuadsConverts;
  return (to.zero % 2 != 0 ? kQuadsOdd : 0) | (to.low > -128 || to.high < 127 ? kQuadsClips : 0);
}

static QuadsOutput quads_output(const OutputS8& to, int channel) {
  QuadsOutput out;
  const int kind = quads_kind(to);
  for (int n = 0; n < 4; ++n) {
    const int32_t start = kind & kQuadsConverts ? 0 : kSumBits;
    out.bias[n] = raw(load_i(to.bias + channel + 4 * n) + splat_i(start));
    out.scale[n] = load_f(to.scale + channel + 4 * n);
  }
  out.rounding = splat_f(kRounding);
  out.shifted =
      splat_f(kind & (kQuadsOdd | kQuadsConverts) ? kRounding : kRounding + (float)to.zero);
  out.zero = vdupq_n_s16((int16_t)to.zero);
  out.low = vdupq_n_s8((int8_t)to.low);
  out.high = vdupq_n_s8((int8_t)to.high);
  return out;
}

// A strip of rows, at least four: a last tile of few rows makes some of those before it once more.
// Outputs of fewer channels than the tile's take a detour.
static void strip_of_quads(const BlockS8& block, const QuadsOutput& out, QuadsTiles tiles,
                           const int8_t* a, const int8_t* w, int rows, int8_t* y, int channels) {
  const int8_t* last = a + (rows - 4) * block.a_step;
  int8_t* y_last = y + (rows - 4) * block.y_step;
  if (channels >= 4 * kLanes) {
    tiles(block, a, w, out, rows / 4, y, block.y_step);
    if (rows % 4 != 0) tiles(block, last, w, out, 1, y_last, block.y_step);
    return;
  }
  for (int row = 0; row < rows; row += 4, a += 4 * block.a_step, y += 4 * block.y_step) {
    if (row > rows - 4) a = last, y = y_last;
    int8_t bytes[4][4 * kLanes];
    tiles(block, a, w, out, 1, bytes[0], sizeof bytes[0]);
    for (int i = 0; i < 4; ++i) memcpy(y + i * block.y_step, bytes[i], (size_t)channels);
  }
}

// Strips against whole panels from vector `begin` on; returns the first that is not done.
static int strips_by_hand(const BlockS8& block, const StripsS8& strips, int rows, int begin,
                          int end) {
  if (!block.output.small_outputs || block.row_sums != nullptr || block.steps == 0 || rows < 4 ||
      block.steps != block.segments * block.segment_steps) {
    return begin;
  }
  const QuadsTiles tiles = quads_tiles(quads_kind(block.output), block.segment_steps % 4);
  int vector = begin;
  for (; vector + 4 <= end; vector += 4) {
    const int channel = vector * kLanes;
    const QuadsOutput out = quads_output(block.output, channel);
    const int8_t* w = block.weights + vector / 4 * block.panel_step;
    for (int64_t strip = 0; strip < strips.count; ++strip) {
      const int8_t* a = (const int8_t*)block.a + strip * strips.a_step;
      int8_t* y = block.y + strip * strips.y_step + channel;
      strip_of_quads(block, out, tiles, a, w, rows, y, block.channels - channel);
    }
  }
  return vector;
}

}  // namespace LINNET_ISA
}  // namespace linnet
