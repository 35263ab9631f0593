// The exponentials that attention needs.
#pragma once

#include "elementwise/math.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(__AVX512F__)
// x less the nearest whole number, 0 for -infinity.
LINNET_INLINE F rest_of(F x) { return _mm512_reduce_ps(x, _MM_FROUND_NO_EXC); }

// p * 2^(x - rest_of(x)).
LINNET_INLINE F raised(F p, F x) { return _mm512_scalef_ps(p, x - rest_of(x)); }

// p * 2^n, p and the result normal.
LINNET_INLINE F shifted(F p, I n) { return _mm512_scalef_ps(p, to_f(n)); }

// value, 0 where x is less than a bound.
LINNET_INLINE F zero_below(F bound, F x, F value) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, bound, _CMP_NLT_UQ), value);
}
#else
// Numbers below -126 count as that.
LINNET_INLINE F rest_of(F x) {
  const F bounded = max_f(x, splat_f(-126.0f));
  return bounded - to_f(to_i_round(bounded));
}

LINNET_INLINE F shifted(F p, I n) { return as_f(as_i(p) + (n << 23)); }

LINNET_INLINE F raised(F p, F x) { return shifted(p, to_i_round(max_f(x, splat_f(-126.0f)))); }

LINNET_INLINE F zero_below(F bound, F x, F value) {
  return select((I)(x < bound), splat_f(0.0f), value);
}
#endif

// x = e^x for x <= 0, relative error below 4e-7; 0 below -87.3, where results would be denormal.
// NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2, the polynomial's own error is 1e-7.
template <int N>
LINNET_INLINE void exp_of_negative(F (&x)[N]) {
  F r[N], p[N];
  I n[N];
  each_of<N>([&](int i) { n[i] = to_i_round(x[i] * splat_f(1.44269504f)); });
  // ln 2 in two parts, the first short enough for exact products.
  each_of<N>([&](int i) { r[i] = fma(to_f(n[i]), splat_f(-0.693359375f), x[i]); });
  each_of<N>([&](int i) { r[i] = fma(to_f(n[i]), splat_f(2.12194440e-4f), r[i]); });
  each_of<N>([&](int i) { p[i] = fma(splat_f(0.00829027221f), r[i], splat_f(0.0418981612f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(0.166676387f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(0.499991477f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(0.999999702f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(1.0f)); });
  each_of<N>([&](int i) { x[i] = zero_below(splat_f(-87.3f), x[i], shifted(p[i], n[i])); });
}

LINNET_INLINE F exp_of_negative(F x) {
  F one[1] = {x};
  exp_of_negative(one);
  return one[0];
}

// x = 2^x for x <= 0, relative error below 8e-5; at most 2^-126 below -126.
template <int N>
LINNET_INLINE void exp2_rough(F (&x)[N]) {
  F r[N], p[N];
  each_of<N>([&](int i) { r[i] = rest_of(x[i]); });
  each_of<N>([&](int i) { p[i] = fma(splat_f(0.05517167f), r[i], splat_f(0.24261112f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(0.69326099f)); });
  each_of<N>([&](int i) { p[i] = fma(p[i], r[i], splat_f(0.99992807f)); });
  each_of<N>([&](int i) { x[i] = raised(p[i], x[i]); });
}

LINNET_INLINE F exp2_rough(F x) {
  F one[1] = {x};
  exp2_rough(one);
  return one[0];
}

}  // namespace LINNET_ISA
}  // namespace linnet
