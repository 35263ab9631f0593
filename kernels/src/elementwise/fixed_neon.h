// Add and Sub of bytes in whole numbers, 16 at a time.
#pragma once

#include "elementwise/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct FixedFactors {
  int32x4_t left, right, offset, shift;
};
}  // namespace

LINNET_INLINE I fixed_sum(const FixedFactors& f, int16x4_t x, int16x4_t y) {
  const int32x4_t sum = vmlaq_s32(f.offset, vmovl_s16(x), f.left);
  return (I)vshlq_s32(vmlaq_s32(sum, vmovl_s16(y), f.right), f.shift);
}

// z = clip(((x * left + y * right + offset) >> shift) + zero) for whole blocks of 16; returns how
// many of n elements are done.
static int64_t add_fixed_blocks(const BinaryS8Params& p, int32_t sign, const int8_t* x,
                                const int8_t* y, int8_t* z, int64_t n) {
  const int32_t left = p.left_fixed, right = sign * p.right_fixed;
  const int32_t offset = (1 << (p.shift - 1)) - p.x_zero * left - p.y_zero * right;
  const FixedFactors f = {vdupq_n_s32(left), vdupq_n_s32(right), vdupq_n_s32(offset),
                          vdupq_n_s32(-p.shift)};
  const ByteBounds bounds = byte_bounds(p.z_zero, p.low, p.high);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const int8x16_t a = vld1q_s8(x + i), b = vld1q_s8(y + i);
    const int16x8_t a0 = vmovl_s8(vget_low_s8(a)), a1 = vmovl_s8(vget_high_s8(a));
    const int16x8_t b0 = vmovl_s8(vget_low_s8(b)), b1 = vmovl_s8(vget_high_s8(b));
    const I sum[4] = {fixed_sum(f, vget_low_s16(a0), vget_low_s16(b0)),
                      fixed_sum(f, vget_high_s16(a0), vget_high_s16(b0)),
                      fixed_sum(f, vget_low_s16(a1), vget_low_s16(b1)),
                      fixed_sum(f, vget_high_s16(a1), vget_high_s16(b1))};
    store_s8_clipped(z + i, sum, bounds, 16);
  }
  return i;
}

}  // namespace LINNET_ISA
}  // namespace linnet
