// Activations of linear layers on rows that were just stored.
#pragma once

#include "elementwise/math.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

// x times half of 1 + erf(x / sqrt(2)), off by at most 1e-6: erf(z) as z times a quotient of
// polynomials in z * z up to |z| = 3.95, where it becomes 1.
LINNET_INLINE F gelu_f(F x) {
  const F z = x * splat_f(0.70710678f);
  const F bounded = clip_f(z, splat_f(-3.95f), splat_f(3.95f));
  const F t = bounded * bounded;
  F p = fma(splat_f(2.0259147e-06f), t, splat_f(0.00028468837f));
  p = fma(p, t, splat_f(0.0038081664f));
  p = fma(p, t, splat_f(0.052875463f));
  p = fma(p, t, splat_f(0.19155034f));
  p = fma(p, t, splat_f(1.1283791f));
  F q = fma(splat_f(3.7831906e-05f), t, splat_f(0.0011707279f));
  q = fma(q, t, splat_f(0.015055099f));
  q = fma(q, t, splat_f(0.11455964f));
  q = fma(q, t, splat_f(0.50308973f));
  q = fma(q, t, splat_f(1.0f));
  const F erf = select((I)(bounded == z), bounded * p / q, with_sign(splat_f(1.0f), sign_of(z)));
  return splat_f(0.5f) * x * (splat_f(1.0f) + select((I)(z == z), erf, z));
}

LINNET_INLINE F gelu_tanh_f(F x) {
  const F inner = fma(x * x * splat_f(0.044715f), x, x) * splat_f(0.79788456f);
  return splat_f(0.5f) * x * (splat_f(1.0f) + tanh_f(inner));
}

LINNET_INLINE F activated(Activation kind, F x) {
  switch (kind) {
    case Activation::kRelu:
      return max_f(splat_f(0.0f), x);
    case Activation::kGelu:
      return gelu_f(x);
    case Activation::kGeluTanh:
      return gelu_tanh_f(x);
    case Activation::kSilu:
      return x * sigmoid_f(x);
    default:
      return x;
  }
}

template <Activation kKind>
static void activate_block(float* y, const float* residual, int64_t step, int rows, int columns) {
  for (int i = 0; i < rows; ++i, y += step) {
    int j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      F value = activated(kKind, load_f(y + j));
      if (residual != nullptr) value = value + load_f(residual + i * step + j);
      store_f(y + j, value);
    }
    if (j == columns) continue;
    F value = activated(kKind, load_f(y + j, columns - j));
    if (residual != nullptr) value = value + load_f(residual + i * step + j, columns - j);
    store_f(y + j, value, columns - j);
  }
}

// y = activation(y) + residual over rows of `columns` floats, `step` apart in both.
static void finish_block(Activation kind, float* y, const float* residual, int64_t step, int rows,
                         int columns) {
  switch (kind) {
    case Activation::kRelu:
      return activate_block<Activation::kRelu>(y, residual, step, rows, columns);
    case Activation::kGelu:
      return activate_block<Activation::kGelu>(y, residual, step, rows, columns);
    case Activation::kGeluTanh:
      return activate_block<Activation::kGeluTanh>(y, residual, step, rows, columns);
    case Activation::kSilu:
      return activate_block<Activation::kSilu>(y, residual, step, rows, columns);
    default:
      if (residual != nullptr) {
        activate_block<Activation::kNone>(y, residual, step, rows, columns);
      }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
