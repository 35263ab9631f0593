// Activations of linear layers on rows that were just stored.
#pragma once

#include "elementwise/math.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

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
