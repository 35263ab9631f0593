// Rows of activations times four channels, 16 k at a time, in NEON of ARMv7-A.
#pragma once

namespace linnet {
namespace LINNET_ISA {

namespace {
struct SixteensS8 {
  const int8_t* a;
  int64_t a_step;
  const int8_t* w;  // [chunk][16 channels][16 k], of which four channels are read
  const int32_t* offsets;
  int64_t chunks;
  bool half;  // another chunk follows, whose second half is empty
  int64_t run, runs;
};
}  // namespace

template <bool kCareful>
LINNET_INLINE int32x4_t add_chunk(int32x4_t sum, int8x16_t a, int8x16_t w, bool half) {
  int16x8_t products = vmull_s8(vget_low_s8(a), vget_low_s8(w));
  if (half) return vpadalq_s16(sum, products);
  if (kCareful) {
    sum = vpadalq_s16(sum, products);
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(a), vget_high_s8(w)));
  }
  return vpadalq_s16(sum, vmlal_s8(products, vget_high_s8(a), vget_high_s8(w)));
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
    int8x16_t a[MR];
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) a[i] = vld1q_s8(job.a + i * job.a_step + job.offsets[k]);
    const bool half = k == job.chunks;
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) {
      const int8x16_t b = vld1q_s8(w + 16 * n);
#pragma GCC unroll 4
      for (int i = 0; i < MR; ++i) sum[i][n] = add_chunk<kCareful>(sum[i][n], a[i], b, half);
    }
  }
  for (int i = 0; i < MR; ++i) {
    found[i] = (I)add_pairs(add_pairs(sum[i][0], sum[i][1]), add_pairs(sum[i][2], sum[i][3]));
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
