// The exponential that attention needs.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// e^x for x <= 0, relative error below 2e-7; 0 below -87.3, where results would be denormal.
// NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2, the polynomial's own error is 1.1e-7.
LINNET_INLINE F exp_of_negative(F x) {
  const I n = to_i_round(x * splat_f(1.44269504f));
  const F whole = to_f(n);
  // ln 2 in two parts, the first short enough for exact products.
  F r = fma(whole, splat_f(-0.693359375f), x);
  r = fma(whole, splat_f(2.12194440e-4f), r);
  F p = splat_f(8.3124777e-3f);
  p = fma(p, r, splat_f(4.1890550e-2f));
  p = fma(p, r, splat_f(1.6667116e-1f));
  p = fma(p, r, splat_f(4.9999228e-1f));
  p = fma(p * r, r, r) + splat_f(1.0f);
  const F power = as_f((n + splat_i(127)) << 23);
  return select((I)(x < splat_f(-87.3f)), splat_f(0.0f), p * power);
}

}  // namespace LINNET_ISA
}  // namespace linnet
