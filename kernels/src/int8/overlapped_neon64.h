// Tiles of four rows by four channels, 16 k at a time, for ARMv8.0 cores out of order (Cortex-A72):
// their second pipe does not multiply, so while the first chunks of a tile and its last one are
// multiplied, it turns the sums of the tile before it into bytes. Included by products_neon.h.
//
// v0-3 hold activations, v4-7 weights, v8-11 sums of two products in 16 bits, v16-31 the sixteen
// sums, v12-15 a row each of the tile before; where a row is multiplied already, its register holds
// constants of the outputs.
#pragma once

namespace linnet {
namespace LINNET_ISA {

#define LINNET_NO_MLA(a, t, w)
// A row of a chunk, with other instructions among its second products and behind its sums.
#define LINNET_ROW(a, s0, s1, s2, s3, mla, op, m0, m1, m2, m3, more) \
  LINNET_MUL4(a, 8, 9, 10, 11)                                       \
  mla(a, 8, 4) m0 mla(a, 9, 5) m1 mla(a, 10, 6) m2 mla(a, 11, 7)     \
      m3 LINNET_ADD4(op, s0, s1, s2, s3, 8, 9, 10, 11) more
#define LINNET_ROW0(...) LINNET_ROW(0, 16, 17, 18, 19, __VA_ARGS__)
#define LINNET_ROW1(...) LINNET_ROW(1, 20, 21, 22, 23, __VA_ARGS__)
#define LINNET_ROW2(...) LINNET_ROW(2, 24, 25, 26, 27, __VA_ARGS__)
#define LINNET_ROW3(...) LINNET_ROW(3, 28, 29, 30, 31, __VA_ARGS__)
// A chunk, while the next one is loaded and other instructions run among the first rows.
#define LINNET_LOADING(op, m0, m1, m2, m3, more, n0, n1, n2, n3)                       \
  LINNET_ROW0(LINNET_MLA, op, "ldrsw %[k], [%[o]], #4\n" m0, m1, m2, m3, more)         \
  LINNET_ROW1(LINNET_MLA, op, n0, n1, n2, n3, "ldr q0, [%[a0], %[k]]\n")               \
  LINNET_ROW2(LINNET_MLA, op, "", "", "", "", "ldr q1, [%[a1], %[k]]\n")               \
  LINNET_ROW3(LINNET_MLA, op, "ldr q4, [%[w]]\n", "ldr q5, [%[w], #16]\n",             \
              "ldr q6, [%[w], #32]\n", "ldr q7, [%[w], #48]\n add %[w], %[w], #256\n", \
              "ldr q2, [%[a2], %[k]]\n ldr q3, [%[a3], %[k]]\n")
#define LINNET_CHUNK(op) LINNET_LOADING(op, "", "", "", "", "", "", "", "", "")

// Steps from sums to bytes.
#define LINNET_TO_FLOAT(n) "scvtf v" #n ".4s, v" #n ".4s\n"
#define LINNET_SCALE(n) "fmul v" #n ".4s, v" #n ".4s, v0.4s\n"
#define LINNET_ROUND(n) "fcvtns v" #n ".4s, v" #n ".4s\n"
#define LINNET_NARROW "sqxtn v0.4h, v12.4s\n sqxtn v12.4h, v14.4s\n"
#define LINNET_NARROW_UPPER "sqxtn2 v0.8h, v13.4s\n sqxtn2 v12.8h, v15.4s\n"
#define LINNET_ADD_ZERO "sqadd v0.8h, v0.8h, v1.8h\n sqadd v12.8h, v12.8h, v1.8h\n"
#define LINNET_BYTES "sqxtn v1.8b, v0.8h\n"
#define LINNET_BYTES_UPPER "sqxtn2 v1.16b, v12.8h\n"
#define LINNET_ABOVE "smax v1.16b, v1.16b, v0.16b\n"
#define LINNET_BELOW "smin v1.16b, v1.16b, v2.16b\n"
#define LINNET_GET_SCALE "ldr q0, [%[out], #16]\n"
#define LINNET_GET_ZERO "ldr q1, [%[out], #64]\n"
#define LINNET_GET_BOUNDS "ldp q0, q2, [%[out], #32]\n"
// Behind the loads of the last chunk nobody needs k, o and w.
#define LINNET_LEAVE                    \
  "add %[k], %[y], %[y_step]\n"         \
  "add %[o], %[y], %[y_step], lsl #1\n" \
  "add %[w], %[k], %[y_step], lsl #1\n" \
  "str s1, [%[y]]\n"                    \
  "st1 {v1.s}[1], [%[k]]\n"             \
  "st1 {v1.s}[2], [%[o]]\n"             \
  "st1 {v1.s}[3], [%[w]]\n"

#define LINNET_CHUNK_AND_SCALE                                                              \
  LINNET_LOADING(sadalp, LINNET_TO_FLOAT(12), LINNET_TO_FLOAT(13), LINNET_TO_FLOAT(14),     \
                 LINNET_TO_FLOAT(15), LINNET_GET_SCALE, LINNET_SCALE(12), LINNET_SCALE(13), \
                 LINNET_SCALE(14), LINNET_SCALE(15))
#define LINNET_CHUNK_AND_LEAVE(mla)                                                                \
  LINNET_ROW0(mla, sadalp, LINNET_ROUND(12), LINNET_ROUND(13), LINNET_ROUND(14), LINNET_ROUND(15), \
              LINNET_NARROW)                                                                       \
  LINNET_ROW1(mla, sadalp, LINNET_NARROW_UPPER, "", "", "", LINNET_GET_ZERO)                       \
  LINNET_ROW2(mla, sadalp, LINNET_ADD_ZERO, "", "", LINNET_BYTES,                                  \
              LINNET_BYTES_UPPER LINNET_GET_BOUNDS)                                                \
  LINNET_ROW3(mla, sadalp, LINNET_ABOVE, "", "", LINNET_BELOW, LINNET_LEAVE)
// The only chunk, or the second of two.
#define LINNET_CHUNK_AND_ALL(mla, op)                                                              \
  LINNET_ROW0(mla, op, LINNET_TO_FLOAT(12), LINNET_TO_FLOAT(13), LINNET_TO_FLOAT(14),              \
              LINNET_TO_FLOAT(15), LINNET_GET_SCALE)                                               \
  LINNET_ROW1(mla, op, LINNET_SCALE(12), LINNET_SCALE(13), LINNET_SCALE(14), LINNET_SCALE(15),     \
              LINNET_GET_ZERO LINNET_ROUND(12) LINNET_ROUND(13) LINNET_ROUND(14) LINNET_ROUND(15)) \
  LINNET_ROW2(mla, op, LINNET_NARROW, "", "", LINNET_NARROW_UPPER, LINNET_ADD_ZERO LINNET_BYTES)   \
  LINNET_ROW3(mla, op, LINNET_BYTES_UPPER, "", "", LINNET_GET_BOUNDS,                              \
              LINNET_ABOVE LINNET_BELOW LINNET_LEAVE)

#define LINNET_PAIR(to, n, m) "addp v" #to ".4s, v" #n ".4s, v" #m ".4s\n"
#define LINNET_ADD_BIAS(n) "add v" #n ".4s, v" #n ".4s, v8.4s\n"
// What a row contributes through the weights' zero points.
#define LINNET_ROW_SUM(n, lane) "mls v" #n ".4s, v10.4s, v9.s[" #lane "]\n"
// The next tile's places and first chunk, while the sums of the one before it become those of rows.
#define LINNET_HEAD \
  "ldrsw %[a0], [%[tiles], #8]\n" LINNET_PAIR(16, 16, 17)                                 \
  "add %[y], %[to], %[next]\n" LINNET_PAIR(18, 18, 19)                                    \
  "ldrsw %[k], [%[offsets]]\n" LINNET_PAIR(20, 20, 21)                                    \
  "ldr %[next], [%[tiles]]\n" LINNET_PAIR(22, 22, 23)                                     \
  "add %[a0], %[a], %[a0]\n" LINNET_PAIR(24, 24, 25)                                      \
  "add %[a1], %[a0], %[a_step]\n" LINNET_PAIR(26, 26, 27)                                 \
  "ldr q8, [%[out]]\n" LINNET_PAIR(28, 28, 29)                                            \
  "ldr q0, [%[a0], %[k]]\n" LINNET_PAIR(30, 30, 31)                                       \
  "ldr q4, [%[weights]]\n" LINNET_PAIR(12, 16, 18)                                        \
  "ldr q5, [%[weights], #16]\n" LINNET_PAIR(13, 20, 22)                                   \
  "ldr q6, [%[weights], #32]\n" LINNET_PAIR(14, 24, 26)                                   \
  "ldr q7, [%[weights], #48]\n" LINNET_PAIR(15, 28, 30)                                   \
  "add %[a2], %[a0], %[a_step], lsl #1\n" LINNET_ADD_BIAS(12)                             \
  "ldr q1, [%[a1], %[k]]\n" LINNET_ADD_BIAS(13)                                           \
  "add %[a3], %[a1], %[a_step], lsl #1\n" LINNET_ADD_BIAS(14)                             \
  "ldr q2, [%[a2], %[k]]\n" LINNET_ADD_BIAS(15)                                           \
  "ldr q3, [%[a3], %[k]]\n"                                                               \
  "add %[w], %[weights], #256\n"                                                          \
  "add %[o], %[offsets], #4\n"                                                            \
  ".if %c[has_sums]\n"                                                                    \
  "add %[k], %[sums], %w[row], sxtw #2\n"                                                 \
  "ldr %w[row], [%[tiles], #12]\n"                                                        \
  "ldr q9, [%[k]]\n"                                                                      \
  "ldr q10, [%[out], #80]\n"                                                              \
  LINNET_ROW_SUM(12, 0) LINNET_ROW_SUM(13, 1) LINNET_ROW_SUM(14, 2) LINNET_ROW_SUM(15, 3) \
  ".endif\n"                                                                              \
  "add %[tiles], %[tiles], #16\n"
#define LINNET_MANY(mla) \
  LINNET_CHUNK(saddlp)   \
  "mov %[n], %[middle]\n" LINNET_CHUNK_AND_SCALE \
  "cbz %[n], 3f\n"                               \
  ".p2align 4\n"                                 \
  "2:\n" LINNET_CHUNK(sadalp)                    \
  "subs %[n], %[n], #1\n"                        \
  "b.ne 2b\n"                                    \
  "3:\n" LINNET_CHUNK_AND_LEAVE(mla)
// All tiles, whose chunks are given; then the last one's sums leave.
#define LINNET_TILES_OF(chunks)                                                                    \
  __asm__ volatile(                                                                                \
      "1:\n" LINNET_HEAD chunks                                                                    \
      "subs %[count], %[count], #1\n"                                                              \
      "b.ne 1b\n" LINNET_HEAD LINNET_GET_SCALE LINNET_GET_ZERO LINNET_TO_FLOAT(                    \
          12) LINNET_TO_FLOAT(13) LINNET_TO_FLOAT(14) LINNET_TO_FLOAT(15) LINNET_SCALE(12)         \
          LINNET_SCALE(13) LINNET_SCALE(14) LINNET_SCALE(15) LINNET_ROUND(12) LINNET_ROUND(13)     \
              LINNET_ROUND(14) LINNET_ROUND(15)                                                    \
                  LINNET_NARROW LINNET_NARROW_UPPER LINNET_ADD_ZERO LINNET_BYTES                   \
                      LINNET_BYTES_UPPER LINNET_GET_BOUNDS LINNET_ABOVE LINNET_BELOW LINNET_LEAVE  \
      : [tiles] "+&r"(tiles), [next] "+&r"(next), [row] "+&r"(row), [count] "+&r"(count),          \
        [y] "=&r"(y), [a0] "=&r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3),              \
        [w] "=&r"(w), [o] "=&r"(o), [k] "=&r"(k), [n] "=&r"(n)                                     \
      : [a] "r"(job.a), [a_step] "r"(job.a_step), [weights] "r"(job.w),                            \
        [offsets] "r"(job.offsets), [middle] "r"(chunks_left), [out] "r"(&out), [to] "r"(to),      \
        [y_step] "r"(y_step), [sums] "r"(row_sums), [has_sums] "i"(kSums)                          \
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",  \
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", \
        "v25", "v26", "v27", "v28", "v29", "v30", "v31")

namespace {
// Where the outputs and the activations of four rows start, and which row is first.
struct TileS8 {
  int64_t y;
  int32_t a, row;
};
}  // namespace

// `count` tiles of one chunk, two, or more (3), the last of which may be half empty, against four
// channels; y is written four bytes at a time, at the first tile's place twice. Another tile
// follows the last one, whose first chunk is read and no more. No loop straddles a page.
template <bool kSums, int kChunks, bool kHalf>
__attribute__((aligned(2048))) static void overlapped_rows(const SixteensS8& job,
                                                           const FourRowsOutput& out,
                                                           const int32_t* row_sums,
                                                           const TileS8* tiles, int64_t count,
                                                           int8_t* to, int64_t y_step) {
  const int8_t *a0, *a1, *a2, *a3, *w;
  const int32_t* o;
  int8_t* y;
  int64_t next = tiles->y, k, n;
  int32_t row = tiles->row;
  const int64_t chunks_left = job.chunks + (kHalf ? 1 : 0) - 3;
  if constexpr (kChunks == 1 && kHalf) {
    LINNET_TILES_OF(LINNET_CHUNK_AND_ALL(LINNET_NO_MLA, saddlp));
  } else if constexpr (kChunks == 1) {
    LINNET_TILES_OF(LINNET_CHUNK_AND_ALL(LINNET_MLA, saddlp));
  } else if constexpr (kChunks == 2 && kHalf) {
    LINNET_TILES_OF(LINNET_CHUNK(saddlp) LINNET_CHUNK_AND_ALL(LINNET_NO_MLA, sadalp));
  } else if constexpr (kChunks == 2) {
    LINNET_TILES_OF(LINNET_CHUNK(saddlp) LINNET_CHUNK_AND_ALL(LINNET_MLA, sadalp));
  } else if constexpr (kHalf) {
    LINNET_TILES_OF(LINNET_MANY(LINNET_NO_MLA));
  } else {
    LINNET_TILES_OF(LINNET_MANY(LINNET_MLA));
  }
}

using OverlappedRows = void (*)(const SixteensS8&, const FourRowsOutput&, const int32_t*,
                                const TileS8*, int64_t, int8_t*, int64_t);
template <bool kSums>
static OverlappedRows overlapped_rows_of(const SixteensS8& job) {
  const int64_t chunks = job.chunks + (job.half ? 1 : 0);
  if (chunks == 1)
    return job.half ? overlapped_rows<kSums, 1, true> : overlapped_rows<kSums, 1, false>;
  if (chunks == 2)
    return job.half ? overlapped_rows<kSums, 2, true> : overlapped_rows<kSums, 2, false>;
  return job.half ? overlapped_rows<kSums, 3, true> : overlapped_rows<kSums, 3, false>;
}

}  // namespace LINNET_ISA
}  // namespace linnet
