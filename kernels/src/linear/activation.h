// Activations of linear layers on rows that were just stored.
#pragma once

#include "elementwise/math.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

// x times half of 1 + erf(x / sqrt(2)), off by at most 1.1e-6: erf as x times a polynomial in x * x
// up to |x| = 5.3, where it ends above 1.
LINNET_INLINE F gelu_f(F x) {
  const F bounded = clip_f(x, splat_f(-5.3f), splat_f(5.3f));
  const F s = fma(bounded * bounded, splat_f(0.0711997151f), splat_f(-1.0f));
  F p = fma(splat_f(-0.00027895972f), s, splat_f(0.00249706092f));
  p = fma(p, s, splat_f(-0.0056248433f));
  p = fma(p, s, splat_f(0.00601314427f));
  p = fma(p, s, splat_f(-0.00812992733f));
  p = fma(p, s, splat_f(0.017138388f));
  p = fma(p, s, splat_f(-0.028118873f));
  p = fma(p, s, splat_f(0.0382401459f));
  p = fma(p, s, splat_f(-0.0501899533f));
  p = fma(p, s, splat_f(0.0640656948f));
  p = fma(p, s, splat_f(-0.0792172626f));
  p = fma(p, s, splat_f(0.098535575f));
  p = fma(p, s, splat_f(-0.133035958f));
  p = fma(p, s, splat_f(0.266785055f));
  const F erf = clip_f(bounded * p, splat_f(-1.0f), splat_f(1.0f));
  const F half = splat_f(0.5f) * x;
  return fma(half, erf, half);
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
