// The exponentials that attention needs.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// e^x for x <= 0, relative error below 4e-7; 0 below -87.3, where results would be denormal. NaN
// stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2, the polynomial's own error is 1e-7.
LINNET_INLINE F exp_of_negative(F x) {
  const F bounded = max_f(splat_f(-87.3f), x);
  const I n = to_i_round(bounded * splat_f(1.44269504f));
  const F whole = to_f(n);
  // ln 2 in two parts, the first short enough for exact products.
  F r = fma(whole, splat_f(-0.693359375f), bounded);
  r = fma(whole, splat_f(2.12194440e-4f), r);
  F p = fma(splat_f(0.00829027221f), r, splat_f(0.0418981612f));
  p = fma(p, r, splat_f(0.166676387f));
  p = fma(p, r, splat_f(0.499991477f));
  p = fma(p, r, splat_f(0.999999702f));
  p = fma(p, r, splat_f(1.0f));
  return select((I)(x < splat_f(-87.3f)), splat_f(0.0f), as_f(as_i(p) + (n << 23)));
}

// 2^x for x <= 0, relative error below 8e-5; at most 2^-126 below -126.
LINNET_INLINE F exp2_rough(F x) {
  const F bounded = max_f(x, splat_f(-126.0f));
  const I n = to_i_round(bounded);
  const F f = bounded - to_f(n);
  F p = fma(splat_f(0.05517167f), f, splat_f(0.24261112f));
  p = fma(p, f, splat_f(0.69326099f));
  p = fma(p, f, splat_f(0.99992807f));
  return as_f(as_i(p) + (n << 23));
}

}  // namespace LINNET_ISA
}  // namespace linnet
