// Rounding by additions, where conversions are slow (Cortex-A76: two cycles each on one of its two
// pipes): floats of 2^23 <= x < 2^24 lie one apart, so that adding to them rounds, half to even,
// and their low bits are what was added.
//
// It serves sums and scaled values below 2^22. The bits of kRounding + sum are
// kSumBits + sum.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

constexpr float kRounding = 12582912.0f;  // 1.5 * 2^23
constexpr int32_t kSumBits = 0x4B400000;

// round_half_even(sum * scale).
LINNET_INLINE I scaled_small(I sum, F scale) {
  const I bits = splat_i(kSumBits);
  const F rounding = splat_f(kRounding);
  return as_i((as_f(sum + bits) - rounding) * scale + rounding) - bits;
}

}  // namespace LINNET_ISA
}  // namespace linnet
