// Vector functions of float32. Errors are against the exact value, over all finite inputs.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

constexpr float kInfinity = __builtin_inff();

LINNET_INLINE F sign_of(F x) { return as_f(as_i(x) & splat_i(INT32_MIN)); }
LINNET_INLINE F with_sign(F magnitude, F sign) { return as_f(as_i(magnitude) | as_i(sign)); }

// min(max(x, low), high) where high wins if the bounds cross and NaN stays NaN.
LINNET_INLINE F clip_f(F x, F low, F high) { return min_f(high, max_f(low, x)); }

// Nearest whole number, ties to even, for every float.
LINNET_INLINE F round_f(F x) {
  const F magic = splat_f(8388608.0f);
  const F magnitude = abs_f(x);
  const F whole = (magnitude + magic) - magic;
  return select(magnitude < magic, with_sign(whole, sign_of(x)), x);
}

// e^x = 2^n * e^r, n whole, |r| <= ln(2) / 2.
struct ExpParts {
  F r;
  I n;
};

LINNET_INLINE ExpParts split_exp(F x) {
  const I n = to_i_round(x * splat_f(1.44269504f));
  const F whole = to_f(n);
  const F r = fma(whole, splat_f(-0.693359375f), x);
  return {fma(whole, splat_f(2.12194440e-4f), r), n};
}

// e^r - 1 for |r| <= ln(2) / 2, relative error of the polynomial 3e-9.
LINNET_INLINE F expm1_reduced(F r) {
  F q = splat_f(0.00138146023f);
  q = fma(q, r, splat_f(0.00836871564f));
  q = fma(q, r, splat_f(0.041668389f));
  q = fma(q, r, splat_f(0.166665211f));
  q = fma(q, r, splat_f(0.49999994f));
  return fma(r * r, q, r);
}

// 2^n for n in [-126, 127].
LINNET_INLINE F power_of_two(I n) { return as_f((n + 127) << 23); }

// At most 2 ulp; 0 below -104, infinity above 88.73, subnormal results kept.
LINNET_INLINE F exp_f(F x) {
  const ExpParts parts = split_exp(clip_f(x, splat_f(-104.0f), splat_f(89.0f)));
  return scale_f(splat_f(1.0f) + expm1_reduced(parts.r), parts.n);
}

// exp_f(-|x|).
LINNET_INLINE F exp_minus_abs_f(F x) {
  const F negative = as_f(as_i(x) | splat_i(INT32_MIN));
  const ExpParts parts = split_exp(max_f(splat_f(-104.0f), negative));
  return scale_f(splat_f(1.0f) + expm1_reduced(parts.r), parts.n);
}

// At most 4 ulp for x <= 0.
LINNET_INLINE F expm1_nonpositive(F x) {
  const ExpParts parts = split_exp(max_f(splat_f(-18.0f), x));
  const F scale = power_of_two(parts.n);
  return fma(scale, expm1_reduced(parts.r), scale - splat_f(1.0f));
}

// log(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)], plus e * ln(2).
LINNET_INLINE F log_parts(F f, F e) {
  F q = splat_f(-0.0763449669f);
  q = fma(q, f, splat_f(0.127615765f));
  q = fma(q, f, splat_f(-0.131601825f));
  q = fma(q, f, splat_f(0.142017573f));
  q = fma(q, f, splat_f(-0.166233569f));
  q = fma(q, f, splat_f(0.200012267f));
  q = fma(q, f, splat_f(-0.250008196f));
  q = fma(q, f, splat_f(0.333333313f));
  const F square = f * f;
  F low = fma(square * f, q, e * splat_f(-2.12194440e-4f));
  low = fma(square, splat_f(-0.5f), low);
  return fma(e, splat_f(0.693359375f), low + f);
}

// For normal positive x.
LINNET_INLINE F log_normal(F x, F e) {
  const I bits = as_i(x);
  const I n = (bits - splat_i(0x3f3504f3)) >> 23;
  const F mantissa = as_f(bits - (n << 23));
  return log_parts(mantissa - splat_f(1.0f), to_f(n) + e);
}

// At most 3 ulp, subnormals included; -infinity at 0, NaN below.
LINNET_INLINE F log_f(F x) {
  const I tiny = x < splat_f(1.17549435e-38f);
  const F scaled = select(tiny, x * splat_f(8388608.0f), x);
  F y = log_normal(scaled, select(tiny, splat_f(-23.0f), splat_f(0.0f)));
  y = select(x < splat_f(kInfinity), y, x);
  y = select(x == splat_f(0.0f), splat_f(-kInfinity), y);
  return select(x < splat_f(0.0f), splat_f(__builtin_nanf("")), y);
}

// log(1 + e) for e in [0, 1], at most 4 ulp.
LINNET_INLINE F log1p_unit(F e) {
  const F one = splat_f(1.0f);
  const F u = one + e;
  const F lost = e - (u - one);
  return log_normal(u, splat_f(0.0f)) + lost / u;
}

// At most 4 ulp.
LINNET_INLINE F sigmoid_f(F x) {
  const F one = splat_f(1.0f);
  const F e = exp_minus_abs_f(x);
  return divide_f(select(x >= splat_f(0.0f), one, e), one + e);
}

// At most 4 ulp.
LINNET_INLINE F tanh_f(F x) {
  const F one = splat_f(1.0f);
  const F magnitude = abs_f(x);
  const F e = exp_f(min_f(splat_f(20.0f), magnitude + magnitude));
  const F large = with_sign(one - divide_f(splat_f(2.0f), e + one), sign_of(x));
  const F square = x * x;
  F q = splat_f(-0.00570498733f);
  q = fma(q, square, splat_f(0.020639088f));
  q = fma(q, square, splat_f(-0.0537397154f));
  q = fma(q, square, splat_f(0.133314416f));
  q = fma(q, square, splat_f(-0.333332807f));
  return select(magnitude < splat_f(0.625f), fma(x * square, q, x), large);
}

// Angles up to here lose nothing when multiples of pi are taken off.
constexpr float kLargestAngle = 8192.0f;

// x - k * pi for whole or half k, pi in three parts whose first two products are exact.
LINNET_INLINE F less_pi(F x, F k) {
  F r = fma(k, splat_f(-3.140625f), x);
  r = fma(k, splat_f(-9.67502593994140625e-4f), r);
  return fma(k, splat_f(-1.509957990978376432e-7f), r);
}

// sin(r) for |r| <= pi / 2, with the other sign where k is odd.
LINNET_INLINE F sin_reduced(F r, F k) {
  const F square = r * r;
  F q = splat_f(2.60547904e-6f);
  q = fma(q, square, splat_f(-1.98094742e-4f));
  q = fma(q, square, splat_f(8.33306462e-3f));
  q = fma(q, square, splat_f(-0.166666597f));
  const F sine = fma(square * r, q, r);
  return as_f(as_i(sine) ^ (to_i_round(k) << 31));
}

// Within 2e-7 of the exact value for |x| <= kLargestAngle.
LINNET_INLINE F sin_f(F x) {
  const F k = round_f(x * splat_f(0.318309886f));
  return sin_reduced(less_pi(x, k), k);
}

// Within 2e-7 of the exact value for |x| <= kLargestAngle.
LINNET_INLINE F cos_f(F x) {
  const F k = round_f(fma(x, splat_f(0.318309886f), splat_f(0.5f)));
  return sin_reduced(less_pi(x, k - splat_f(0.5f)), k);
}

// At most 4 ulp: an odd polynomial near 0, 1 - exp(-polynomial) beyond.
LINNET_INLINE F erf_f(F x) {
  const F magnitude = abs_f(x);
  const F square = x * x;
  F near = splat_f(8.3823943e-05f);
  near = fma(near, square, splat_f(-0.000814559869f));
  near = fma(near, square, splat_f(0.00520128617f));
  near = fma(near, square, splat_f(-0.0268594995f));
  near = fma(near, square, splat_f(0.112836972f));
  near = fma(near, square, splat_f(-0.376126349f));
  near = fma(near, square, splat_f(1.12837923f));
  const F t = min_f(splat_f(4.0f), magnitude);
  F far = splat_f(2.10949729e-05f);
  far = fma(far, t, splat_f(-0.000434461777f));
  far = fma(far, t, splat_f(0.004171059f));
  far = fma(far, t, splat_f(-0.0251194183f));
  far = fma(far, t, splat_f(0.108280078f));
  far = fma(far, t, splat_f(0.633346915f));
  far = fma(far, t, splat_f(1.12951493f));
  far = fma(far, t, splat_f(-0.000174683315f));
  const F large = with_sign(splat_f(1.0f) - exp_f(-far), sign_of(x));
  return select(magnitude < splat_f(0.92f), near * x, large);
}

// Calls step(i) for every vector of a few, which so take turns: none waits for itself.
template <int N, class Step>
LINNET_INLINE void each_of(Step step) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) step(i);
}

// x times half of 1 + erf(x / sqrt(2)): at most 4 ulp, or 6e-7 where the terms cancel. erf as x
// times a polynomial in x * x up to |x| = 5.7, where it ends above 1.
template <int N>
LINNET_INLINE void gelu_f(F (&x)[N]) {
  constexpr float kTerms[] = {0.00187109702f, -0.00345674087f, 0.00279876892f, -0.00415605074f,
                              0.0109796226f,  -0.0182119496f,  0.0241133254f,  -0.0323297419f,
                              0.0426855348f,  -0.0530956574f,  0.063653551f,   -0.0757436529f,
                              0.092464678f,   -0.123928718f,   0.248093843f};
  constexpr int kCount = sizeof kTerms / sizeof *kTerms;
  F bounded[N], s[N], p[N];
  each_of<N>([&](int i) { bounded[i] = clip_f(x[i], splat_f(-5.7f), splat_f(5.7f)); });
  each_of<N>([&](int i) {
    s[i] = fma(bounded[i] * bounded[i], splat_f(0.0615574023f), splat_f(-1.0f));
    p[i] = splat_f(-0.000299299951f);
  });
#pragma GCC unroll 16
  for (int term = 0; term < kCount; ++term) {
    each_of<N>([&](int i) { p[i] = fma(p[i], s[i], splat_f(kTerms[term])); });
  }
  each_of<N>([&](int i) {
    const F erf = clip_f(bounded[i] * p[i], splat_f(-1.0f), splat_f(1.0f));
    const F half = splat_f(0.5f) * x[i];
    x[i] = fma(half, erf, half);
  });
}

LINNET_INLINE F gelu_f(F x) {
  F one[1] = {x};
  gelu_f(one);
  return one[0];
}

// x * (1 + tanh(u)) / 2 = x * sigmoid(2 u), which keeps the digits where tanh nears -1.
LINNET_INLINE F gelu_tanh_f(F x) {
  const F u = x * fma(x * x, splat_f(0.0713548163f), splat_f(1.59576912f));
  return x * sigmoid_f(u);
}

}  // namespace LINNET_ISA
}  // namespace linnet
