// Rows of activations times four channels, 16 k at a time, in NEON of ARMv8-A without dot products.
#pragma once

namespace linnet {
namespace LINNET_ISA {

namespace {
struct SixteensS8 {
  const int8_t* a;
  int64_t a_step;
  const int8_t* w;         // [chunk][16 channels][16 k], of which four channels are read
  const int32_t* offsets;  // of each chunk
  int64_t chunks;
  bool half;     // another chunk follows, whose second half is empty
  int64_t run;   // so many chunks lie side by side,
  int64_t runs;  // so often; what is left lies chunk by chunk
};
}  // namespace

template <bool kCareful>
LINNET_INLINE int32x4_t add_chunk(int32x4_t sum, int8x16_t a, int8x16_t w, bool half) {
  const int16x8_t products = vmull_s8(vget_low_s8(a), vget_low_s8(w));
  if (half) return vpadalq_s16(sum, products);
  if (kCareful) return vpadalq_s16(vpadalq_s16(sum, products), vmull_high_s8(a, w));
  return vpadalq_s16(sum, vmlal_high_s8(products, a, w));
}

template <int MR, bool kCareful>
LINNET_INLINE void multiply_sixteens(I (&found)[MR], const SixteensS8& job) {
  int32x4_t sum[MR][4];
  for (int i = 0; i < MR; ++i) {
    for (int n = 0; n < 4; ++n) sum[i][n] = vdupq_n_s32(0);
  }
  const int8_t* w = job.w;
  const int64_t end = job.chunks + (job.half ? 1 : 0);
#pragma GCC unroll 1
  for (int64_t k = 0; k < end; ++k, w += 256) {
    int8x16_t a[MR], b[4];
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) b[n] = vld1q_s8(w + 16 * n);
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) a[i] = vld1q_s8(job.a + i * job.a_step + job.offsets[k]);
    const bool half = k == job.chunks;
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int n = 0; n < 4; ++n) sum[i][n] = add_chunk<kCareful>(sum[i][n], a[i], b[n], half);
    }
  }
  for (int i = 0; i < MR; ++i) {
    found[i] = (I)add_pairs(add_pairs(sum[i][0], sum[i][1]), add_pairs(sum[i][2], sum[i][3]));
  }
}

// Tiles of four rows by hand, scheduled for the in-order Cortex-A53: v0-3 hold activations, v4-7
// weights, v8-15 sums of two products in 16 bits, v20-31 and v16-19 the sixteen sums. While the
// first chunk of a tile is multiplied, the sums of the tile before it (v16-19, a row each) become
// bytes and leave.
#define LINNET_MUL(a, t, w) "smull v" #t ".8h, v" #a ".8b, v" #w ".8b\n"
#define LINNET_MLA(a, t, w) "smlal2 v" #t ".8h, v" #a ".16b, v" #w ".16b\n"
#define LINNET_MUL4(a, t0, t1, t2, t3) \
  LINNET_MUL(a, t0, 4) LINNET_MUL(a, t1, 5) LINNET_MUL(a, t2, 6) LINNET_MUL(a, t3, 7)
#define LINNET_MLA4(a, t0, t1, t2, t3) \
  LINNET_MLA(a, t0, 4) LINNET_MLA(a, t1, 5) LINNET_MLA(a, t2, 6) LINNET_MLA(a, t3, 7)
#define LINNET_MUL8(a, b) LINNET_MUL4(a, 8, 9, 10, 11) LINNET_MUL4(b, 12, 13, 14, 15)
#define LINNET_MLA8(a, b) LINNET_MLA4(a, 8, 9, 10, 11) LINNET_MLA4(b, 12, 13, 14, 15)
#define LINNET_ADD(op, s, t) #op " v" #s ".4s, v" #t ".8h\n"
#define LINNET_ADD4(op, s0, s1, s2, s3, t0, t1, t2, t3) \
  LINNET_ADD(op, s0, t0) LINNET_ADD(op, s1, t1) LINNET_ADD(op, s2, t2) LINNET_ADD(op, s3, t3)
#define LINNET_ADD_UPPER(op)                    \
  LINNET_ADD4(op, 20, 21, 22, 23, 8, 9, 10, 11) \
  LINNET_ADD4(op, 24, 25, 26, 27, 12, 13, 14, 15)
#define LINNET_ADD_LOWER(op)                    \
  LINNET_ADD4(op, 28, 29, 30, 31, 8, 9, 10, 11) \
  LINNET_ADD4(op, 16, 17, 18, 19, 12, 13, 14, 15)
#define LINNET_EACH(op, more)                                                                     \
  op " v16.4s, v16.4s" more "\n" op " v17.4s, v17.4s" more "\n" op " v18.4s, v18.4s" more "\n" op \
     " v19.4s, v19.4s" more "\n"
// The chunk at k; integer instructions go where they issue together with loads.
#define LINNET_LOAD(more)         \
  "ldr q0, [%[a0], %[k]]\n"       \
  "add %[w], %[w], #256\n"        \
  "ldr q1, [%[a1], %[k]]\n"       \
  "ldr q2, [%[a2], %[k]]\n"       \
  "ldr q3, [%[a3], %[k]]\n"       \
  "add %[k], %[k], #16\n"         \
  "ldur q4, [%[w], #-256]\n"      \
  "ldur q5, [%[w], #-240]\n" more \
  "ldur q6, [%[w], #-224]\n"      \
  "ldur q7, [%[w], #-208]\n"
// Constants of the outputs take the place of sums that are made last.
#define LINNET_CONSTANTS "ldp q28, q29, [%[out]]\n ldp q30, q31, [%[out], #32]\n"
#define LINNET_ZERO "ldr q28, [%[out], #64]\n"
#define LINNET_PLACES                      \
  "add %[n], %[y], %[y_step]\n"            \
  "add %[left], %[y], %[y_step], lsl #1\n" \
  "add %[turn], %[n], %[y_step], lsl #1\n"
#define LINNET_LEAVE4           \
  "str s16, [%[y]]\n"           \
  "st1 {v16.s}[1], [%[n]]\n"    \
  "st1 {v16.s}[2], [%[left]]\n" \
  "st1 {v16.s}[3], [%[turn]]\n" \
  "add %[y], %[y], %[y_step], lsl #2\n"
// The sums of a tile, a row each, in v16-19.
#define LINNET_PAIRS                                            \
  "addp v16.4s, v16.4s, v17.4s\n addp v18.4s, v18.4s, v19.4s\n" \
  "addp v20.4s, v20.4s, v21.4s\n addp v22.4s, v22.4s, v23.4s\n" \
  "addp v24.4s, v24.4s, v25.4s\n addp v26.4s, v26.4s, v27.4s\n" \
  "addp v28.4s, v28.4s, v29.4s\n addp v30.4s, v30.4s, v31.4s\n" \
  "addp v19.4s, v16.4s, v18.4s\n addp v16.4s, v20.4s, v22.4s\n" \
  "addp v17.4s, v24.4s, v26.4s\n addp v18.4s, v28.4s, v30.4s\n"
// Pointers of the next tile, and its first chunk.
#define LINNET_NEXT_TILE        \
  "ldrsw %[k], [%[offsets]]\n"  \
  "add %[a0], %[a0], %[next]\n" \
  "add %[a1], %[a1], %[next]\n" \
  "mov %[o], %[offsets]\n"      \
  "mov %[w], %[weights]\n"      \
  "add %[a2], %[a2], %[next]\n" \
  "add %[a3], %[a3], %[next]\n" LINNET_LOAD("")
// The first chunk of a tile while another's sums leave; `load` may load the second one.
#define LINNET_FIRST_AND_LEAVE(load) \
  LINNET_CONSTANTS LINNET_PLACES \
  LINNET_MUL4(0, 8, 9, 10, 11)   \
  LINNET_EACH("add", ", v28.4s") \
  LINNET_ZERO                    \
  LINNET_MUL(1, 12, 4) LINNET_MUL(1, 13, 5)                                                   \
  LINNET_EACH("scvtf", "")                                                                    \
  LINNET_MUL(1, 14, 6) LINNET_MUL(1, 15, 7)                                                   \
  LINNET_EACH("fmul", ", v29.4s")                                                             \
  LINNET_MLA(0, 8, 4) LINNET_MLA(0, 9, 5)                                                     \
  LINNET_EACH("fcvtns", "")                                                                   \
  LINNET_MLA(0, 10, 6) LINNET_MLA(0, 11, 7)                                                   \
  "sqxtn v16.4h, v16.4s\n sqxtn v18.4h, v18.4s\n"                                             \
  LINNET_MLA4(1, 12, 13, 14, 15)                                                              \
  "sqxtn2 v16.8h, v17.4s\n sqxtn2 v18.8h, v19.4s\n"                                           \
  LINNET_ADD4(saddlp, 20, 21, 22, 23, 8, 9, 10, 11)                                           \
  "sqadd v16.8h, v16.8h, v28.8h\n sqadd v18.8h, v18.8h, v28.8h\n"                             \
  LINNET_ADD4(saddlp, 24, 25, 26, 27, 12, 13, 14, 15)                                         \
  "sqxtn v16.8b, v16.8h\n"                                                                    \
  LINNET_MUL4(2, 8, 9, 10, 11)                                                                \
  "sqxtn2 v16.16b, v18.8h\n"                                                                  \
  LINNET_MUL4(3, 12, 13, 14, 15)                                                              \
  "smax v16.16b, v16.16b, v30.16b\n"                                                          \
  LINNET_MLA4(2, 8, 9, 10, 11)                                                                \
  "smin v16.16b, v16.16b, v31.16b\n"                                                          \
  LINNET_MLA4(3, 12, 13, 14, 15) load LINNET_LEAVE4 LINNET_ADD_LOWER(saddlp)
#define LINNET_FIRST \
  LINNET_MUL8(0, 1)  \
  LINNET_MLA8(0, 1)  \
  LINNET_ADD_UPPER(saddlp) LINNET_MUL8(2, 3) LINNET_MLA8(2, 3) LINNET_ADD_LOWER(saddlp)
#define LINNET_MULTIPLY \
  LINNET_MUL8(0, 1) LINNET_MLA8(0, 1) LINNET_ADD_UPPER(sadalp) LINNET_MUL8(2, 3) LINNET_MLA8(2, 3)
#define LINNET_HALF \
  LINNET_MUL8(0, 1) LINNET_ADD_UPPER(sadalp) LINNET_MUL8(2, 3) LINNET_ADD_LOWER(sadalp)
// What a tile's rows contribute through the weights' zero points.
#define LINNET_ROW_SUMS            \
  "ldr q20, [%[sums]], #16\n"      \
  "ldr q21, [%[out], #80]\n"       \
  "mls v16.4s, v21.4s, v20.s[0]\n" \
  "mls v17.4s, v21.4s, v20.s[1]\n" \
  "mls v18.4s, v21.4s, v20.s[2]\n" \
  "mls v19.4s, v21.4s, v20.s[3]\n"

namespace {
struct FourRowsOutput {
  int32x4_t bias;
  float32x4_t scale;
  int8x16_t low, high;
  int16x8_t zero;
  int32x4_t weight_zero;
  int64_t left, runs;  // chunks behind the first run, runs
};
}  // namespace

// `count` tiles of four rows against four channels; y is written four bytes at a time.
template <bool kSums>
static void four_rows(const SixteensS8& job, FourRowsOutput& out, const int32_t* row_sums,
                      int64_t count, int8_t* y, int64_t y_step) {
  const int8_t *a0 = job.a, *a1 = a0 + job.a_step, *a2 = a1 + job.a_step, *a3 = a2 + job.a_step;
  const int8_t* w = job.w;
  const int64_t next = 4 * job.a_step, half = job.half ? 1 : 0;
  const int64_t run = job.run - 1;  // chunks behind the first one of a run
  out.left = job.chunks - job.run;
  out.runs = job.runs;
  const int32_t* o = job.offsets;
  int64_t k, n, left, turn;
  __asm__ volatile(
      "ldrsw %[k], [%[o]]\n" LINNET_LOAD("") LINNET_FIRST
      "b 2f\n"
      // Runs of one chunk; then those of more, whose second one is loaded with the first.
      "1:\n" LINNET_NEXT_TILE LINNET_PAIRS
      ".if %c[has_sums]\n" LINNET_ROW_SUMS ".endif\n" LINNET_FIRST_AND_LEAVE("")
      "2:\n"
      "ldp %[left], %[turn], [%[out], #96]\n"
      "add %[o], %[o], #4\n"
      "cbz %[run], 6f\n" LINNET_LOAD("")
      "b 14f\n"
      "10:\n" LINNET_NEXT_TILE LINNET_PAIRS
      ".if %c[has_sums]\n" LINNET_ROW_SUMS ".endif\n" LINNET_FIRST_AND_LEAVE(LINNET_LOAD(""))
      "ldp %[left], %[turn], [%[out], #96]\n"
      "add %[o], %[o], #4\n"
      // n chunks follow the loaded one in its run.
      "14:\n"
      "subs %[n], %[run], #1\n"
      "add %[o], %[o], %[run], lsl #2\n"
      "b.eq 5f\n"
      "subs %[n], %[n], #4\n"
      "b.lt 9f\n"
      "b 13f\n"
      ".p2align 4\n"
      "3:\n" LINNET_ADD_LOWER(sadalp)
      "13:\n" LINNET_MULTIPLY LINNET_LOAD("") LINNET_ADD_LOWER(sadalp)
      LINNET_MULTIPLY LINNET_LOAD("") LINNET_ADD_LOWER(sadalp)
      LINNET_MULTIPLY LINNET_LOAD("") LINNET_ADD_LOWER(sadalp)
      LINNET_MULTIPLY LINNET_LOAD("subs %[n], %[n], #4\n")
      "b.ge 3b\n" LINNET_ADD_LOWER(sadalp)
      "9:\n"
      "adds %[n], %[n], #4\n"
      "b.eq 5f\n"
      "4:\n" LINNET_MULTIPLY LINNET_LOAD("subs %[n], %[n], #1\n") LINNET_ADD_LOWER(sadalp)
      "b.gt 4b\n"
      // The last chunk of a run is loaded.
      "5:\n" LINNET_MULTIPLY LINNET_ADD_LOWER(sadalp)
      "6:\n"
      "cbz %[left], 7f\n"
      "subs %[turn], %[turn], #1\n"
      "csel %[n], %[run], xzr, gt\n"
      "sub %[left], %[left], #1\n"
      "ldrsw %[k], [%[o]], #4\n"
      "add %[o], %[o], %[n], lsl #2\n"
      "sub %[left], %[left], %[n]\n" LINNET_LOAD("cmp %[n], #0\n")
      "b.eq 5b\n"
      "subs %[n], %[n], #4\n"
      "b.lt 9b\n"
      "b 13b\n"
      "7:\n"
      "cbz %[half], 8f\n" LINNET_LOAD("") LINNET_HALF
      "8:\n"
      "subs %[count], %[count], #1\n"
      "b.eq 11f\n"
      "cbz %[run], 1b\n"
      "b 10b\n"
      "11:\n" LINNET_PAIRS
      ".if %c[has_sums]\n" LINNET_ROW_SUMS ".endif\n" LINNET_CONSTANTS LINNET_PLACES
      LINNET_EACH("add", ", v28.4s")
      LINNET_ZERO
      LINNET_EACH("scvtf", "")
      LINNET_EACH("fmul", ", v29.4s")
      LINNET_EACH("fcvtns", "")
      "sqxtn v16.4h, v16.4s\n sqxtn v18.4h, v18.4s\n"
      "sqxtn2 v16.8h, v17.4s\n sqxtn2 v18.8h, v19.4s\n"
      "sqadd v16.8h, v16.8h, v28.8h\n sqadd v18.8h, v18.8h, v28.8h\n"
      "sqxtn v16.8b, v16.8h\n sqxtn2 v16.16b, v18.8h\n"
      "smax v16.16b, v16.16b, v30.16b\n smin v16.16b, v16.16b, v31.16b\n"
      LINNET_LEAVE4
      : [w] "+&r"(w), [o] "+&r"(o), [a0] "+&r"(a0), [a1] "+&r"(a1), [a2] "+&r"(a2),
        [a3] "+&r"(a3), [y] "+&r"(y), [count] "+&r"(count), [sums] "+&r"(row_sums), [k] "=&r"(k),
        [n] "=&r"(n), [left] "=&r"(left), [turn] "=&r"(turn)
      : [weights] "r"(job.w), [offsets] "r"(job.offsets), [run] "r"(run),
        [next] "r"(next), [half] "r"(half), [out] "r"(&out), [y_step] "r"(y_step), [has_sums] "i"(kSums)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
        "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

}  // namespace LINNET_ISA
}  // namespace linnet
