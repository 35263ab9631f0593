// Add and Sub of bytes in whole numbers, 16 at a time.
#pragma once

#include "elementwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct FixedFactors {
  int32x4_t left, right, offset;
  int16x8_t shift;
};
}  // namespace

LINNET_INLINE int16x8_t fixed_sum(const FixedFactors& f, int16x4_t x, int16x4_t y) {
  const int32x4_t sum = vmlaq_s32(f.offset, vmovl_s16(x), f.left);
  return vreinterpretq_s16_s32(vmlaq_s32(sum, vmovl_s16(y), f.right));
}

// Eight sums, of which the upper 16 bits are shifted to the right.
LINNET_INLINE int16x8_t fixed_words(const FixedFactors& f, int8x8_t x, int8x8_t y) {
  const int16x8_t a = vmovl_s8(x), b = vmovl_s8(y);
  const int16x8_t low = fixed_sum(f, vget_low_s16(a), vget_low_s16(b));
  const int16x8_t high = fixed_sum(f, vget_high_s16(a), vget_high_s16(b));
  return vshlq_s16(vuzpq_s16(low, high).val[1], f.shift);
}

template <bool kClips>
static int64_t add_fixed_blocks(const FixedFactors& f, const ByteBounds& bounds, const int8_t* x,
                                const int8_t* y, int8_t* z, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const int8x16_t a = vld1q_s8(x + i), b = vld1q_s8(y + i);
    const int16x8_t first = fixed_words(f, vget_low_s8(a), vget_low_s8(b));
    const int16x8_t last = fixed_words(f, vget_high_s8(a), vget_high_s8(b));
    const int8x16_t bytes = vcombine_s8(vqmovn_s16(vqaddq_s16(first, bounds.zero)),
                                        vqmovn_s16(vqaddq_s16(last, bounds.zero)));
    vst1q_s8(z + i, kClips ? vminq_s8(vmaxq_s8(bytes, bounds.low), bounds.high) : bytes);
  }
  return i;
}

// z = clip(((x * left + y * right + offset) >> shift) + zero) for whole blocks of 16; returns how
// many of n elements are done.
static int64_t add_fixed_blocks(const BinaryS8Params& p, int32_t sign, const int8_t* x,
                                const int8_t* y, int8_t* z, int64_t n) {
  if (p.shift < 16) return 0;
  const int32_t left = p.left_fixed, right = sign * p.right_fixed;
  const int32_t offset = (1 << (p.shift - 1)) - p.x_zero * left - p.y_zero * right;
  const FixedFactors f = {vdupq_n_s32(left), vdupq_n_s32(right), vdupq_n_s32(offset),
                          vdupq_n_s16((int16_t)(16 - p.shift))};
  const ByteBounds bounds = byte_bounds(p.z_zero, p.low, p.high);
  if (p.low > -128 || p.high < 127) return add_fixed_blocks<true>(f, bounds, x, y, z, n);
  return add_fixed_blocks<false>(f, bounds, x, y, z, n);
}

}  // namespace LINNET_ISA
}  // namespace linnet
