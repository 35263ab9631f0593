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
LINNET_INLINE void multiply_plain(I (&found)[MR], const SixteensS8& job) {
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

// Four rows by hand, scheduled for the in-order Cortex-A53: v0-3 hold activations, v4-7 weights,
// v8-15 sums of two products in 16 bits, v16-31 the sixteen sums. A step multiplies what is loaded
// and loads the next; the last additions of a step are made at the start of the next one.
#define LINNET_MUL(a, t, w) "smull v" #t ".8h, v" #a ".8b, v" #w ".8b\n"
#define LINNET_MLA(a, t, w) "smlal2 v" #t ".8h, v" #a ".16b, v" #w ".16b\n"
#define LINNET_MUL4(a, t0, t1, t2, t3) \
  LINNET_MUL(a, t0, 4) LINNET_MUL(a, t1, 5) LINNET_MUL(a, t2, 6) LINNET_MUL(a, t3, 7)
#define LINNET_MLA4(a, t0, t1, t2, t3) \
  LINNET_MLA(a, t0, 4) LINNET_MLA(a, t1, 5) LINNET_MLA(a, t2, 6) LINNET_MLA(a, t3, 7)
#define LINNET_ADD(s, t) "sadalp v" #s ".4s, v" #t ".8h\n"
#define LINNET_ADD_UPPER \
  LINNET_ADD(16, 8)      \
  LINNET_ADD(17, 9)      \
  LINNET_ADD(18, 10)     \
  LINNET_ADD(19, 11) LINNET_ADD(20, 12) LINNET_ADD(21, 13) LINNET_ADD(22, 14) LINNET_ADD(23, 15)
#define LINNET_ADD_LOWER \
  LINNET_ADD(24, 8)      \
  LINNET_ADD(25, 9)      \
  LINNET_ADD(26, 10)     \
  LINNET_ADD(27, 11) LINNET_ADD(28, 12) LINNET_ADD(29, 13) LINNET_ADD(30, 14) LINNET_ADD(31, 15)
#define LINNET_MULTIPLY                                                        \
  LINNET_ADD_LOWER                                                             \
  LINNET_MUL4(0, 8, 9, 10, 11)                                                 \
  LINNET_MUL4(1, 12, 13, 14, 15)                                               \
  LINNET_MLA4(0, 8, 9, 10, 11)                                                 \
  LINNET_MLA4(1, 12, 13, 14, 15)                                               \
  LINNET_ADD_UPPER LINNET_MUL4(2, 8, 9, 10, 11) LINNET_MUL4(3, 12, 13, 14, 15) \
      LINNET_MLA4(2, 8, 9, 10, 11) LINNET_MLA4(3, 12, 13, 14, 15)
#define LINNET_HALF              \
  LINNET_ADD_LOWER               \
  LINNET_MUL4(0, 8, 9, 10, 11)   \
  LINNET_MUL4(1, 12, 13, 14, 15) \
  LINNET_ADD_UPPER LINNET_MUL4(2, 8, 9, 10, 11) LINNET_MUL4(3, 12, 13, 14, 15)
// The step's integer instructions go where they issue together with loads.
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

LINNET_INLINE void multiply_four(I (&found)[4], const SixteensS8& job) {
  const int8_t *a0 = job.a, *a1 = a0 + job.a_step, *a2 = a1 + job.a_step, *a3 = a2 + job.a_step;
  const int8_t* w = job.w;
  const int32_t* offsets = job.offsets;
  int64_t runs = job.runs, left = job.chunks + (job.half ? 1 : 0), n = 0, k = 0;
  const int64_t whole = job.run - (job.half ? 1 : 0), half = job.half ? 1 : 0;
  int32_t sums[16];
  __asm__ volatile(
      "movi v8.4s, #0\n movi v9.4s, #0\n movi v10.4s, #0\n movi v11.4s, #0\n"
      "movi v12.4s, #0\n movi v13.4s, #0\n movi v14.4s, #0\n movi v15.4s, #0\n"
      "movi v16.4s, #0\n movi v17.4s, #0\n movi v18.4s, #0\n movi v19.4s, #0\n"
      "movi v20.4s, #0\n movi v21.4s, #0\n movi v22.4s, #0\n movi v23.4s, #0\n"
      "movi v24.4s, #0\n movi v25.4s, #0\n movi v26.4s, #0\n movi v27.4s, #0\n"
      "movi v28.4s, #0\n movi v29.4s, #0\n movi v30.4s, #0\n movi v31.4s, #0\n"
      // A run of n chunks, of which the last may be half empty; then runs of one chunk.
      "1:\n"
      "ldrsw %[k], [%[offsets]]\n"
      "cmp %[runs], #0\n"
      "mov %[n], #1\n"
      "csel %[n], %[whole], %[n], gt\n"
      "sub %[runs], %[runs], #1\n"
      "add %[offsets], %[offsets], %[n], lsl #2\n"
      "sub %[left], %[left], %[n]\n" LINNET_LOAD("")
      "cbz %[n], 7f\n"
      "subs %[n], %[n], #5\n"
      "b.lt 3f\n"
      ".p2align 4\n"
      "2:\n" LINNET_MULTIPLY LINNET_LOAD("") LINNET_MULTIPLY LINNET_LOAD("")
          LINNET_MULTIPLY LINNET_LOAD("") LINNET_MULTIPLY
              LINNET_LOAD("subs %[n], %[n], #4\n")
      "b.ge 2b\n"
      "3:\n"
      "adds %[n], %[n], #4\n"
      "b.eq 5f\n"
      "4:\n" LINNET_MULTIPLY LINNET_LOAD("subs %[n], %[n], #1\n")
      "b.gt 4b\n"
      "5:\n" LINNET_MULTIPLY
      "cmp %[left], %[half]\n"
      "b.gt 1b\n"
      "cbz %[half], 8f\n" LINNET_LOAD("")
      "7:\n" LINNET_HALF
      "8:\n" LINNET_ADD_LOWER
      "addp v16.4s, v16.4s, v17.4s\n addp v18.4s, v18.4s, v19.4s\n"
      "addp v20.4s, v20.4s, v21.4s\n addp v22.4s, v22.4s, v23.4s\n"
      "addp v24.4s, v24.4s, v25.4s\n addp v26.4s, v26.4s, v27.4s\n"
      "addp v28.4s, v28.4s, v29.4s\n addp v30.4s, v30.4s, v31.4s\n"
      "addp v16.4s, v16.4s, v18.4s\n addp v17.4s, v20.4s, v22.4s\n"
      "addp v18.4s, v24.4s, v26.4s\n addp v19.4s, v28.4s, v30.4s\n"
      "st1 {v16.4s-v19.4s}, [%[sums]]\n"
      : [w] "+r"(w), [k] "+r"(k), [n] "+r"(n), [runs] "+r"(runs), [left] "+r"(left),
        [offsets] "+r"(offsets)
      : [a0] "r"(a0), [a1] "r"(a1), [a2] "r"(a2), [a3] "r"(a3), [whole] "r"(whole),
        [half] "r"(half), [sums] "r"(sums)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
        "v25", "v26", "v27", "v28", "v29", "v30", "v31");
  for (int i = 0; i < 4; ++i) found[i] = load_i(sums + 4 * i);
}

template <int MR, bool kCareful>
LINNET_INLINE void multiply_sixteens(I (&found)[MR], const SixteensS8& job) {
  if constexpr (MR == 4 && !kCareful) {
    multiply_four(found, job);
  } else {
    multiply_plain<MR, kCareful>(found, job);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
