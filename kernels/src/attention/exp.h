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

// x = 2^x for x <= 0, relative error below 8e-5; at most 2^-126 below -126. Vectors take turns, so
// that none waits for itself.
template <int N>
LINNET_INLINE void exp2_rough(F (&x)[N]) {
  I n[N];
  F p[N];
  const auto each = [](auto step) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) step(i);
  };
  each([&](int i) { x[i] = max_f(x[i], splat_f(-126.0f)); });
  each([&](int i) { n[i] = to_i_round(x[i]); });
  each([&](int i) { x[i] = x[i] - to_f(n[i]); });
  each([&](int i) { p[i] = fma(splat_f(0.05517167f), x[i], splat_f(0.24261112f)); });
  each([&](int i) { p[i] = fma(p[i], x[i], splat_f(0.69326099f)); });
  each([&](int i) { p[i] = fma(p[i], x[i], splat_f(0.99992807f)); });
  each([&](int i) { x[i] = as_f(as_i(p[i]) + (n[i] << 23)); });
}

LINNET_INLINE F exp2_rough(F x) {
  F one[1] = {x};
  exp2_rough(one);
  return one[0];
}

}  // namespace LINNET_ISA
}  // namespace linnet
