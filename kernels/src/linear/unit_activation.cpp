// What linear layers do to rows that they just stored.
#include "elementwise/math.h"
#include "linear/activation.h"

namespace linnet {
namespace LINNET_ISA {

template <Activation kKind>
LINNET_INLINE F activated(F x) {
  switch (kKind) {
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

template <Activation kKind, bool kAdds>
static void finish_row(float* y, const float* residual, int columns) {
  constexpr int kTogether = 4;
  int j = 0;
  for (; j + kTogether * kLanes <= columns; j += kTogether * kLanes) {
    F value[kTogether];
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      value[i] = activated<kKind>(load_f(y + j + i * kLanes));
      if (kAdds) value[i] = value[i] + load_f(residual + j + i * kLanes);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) store_f(y + j + i * kLanes, value[i]);
  }
  for (; j < columns; j += kLanes) {
    const int lanes = columns - j < kLanes ? columns - j : kLanes;
    F value = activated<kKind>(load_f(y + j, lanes));
    if (kAdds) value = value + load_f(residual + j, lanes);
    store_f(y + j, value, lanes);
  }
}

template <Activation kKind>
static void finish_rows(float* y, const float* residual, int64_t step, int rows, int columns) {
  for (int i = 0; i < rows; ++i, y += step) {
    if (residual == nullptr) {
      finish_row<kKind, false>(y, nullptr, columns);
    } else {
      finish_row<kKind, true>(y, residual + i * step, columns);
    }
  }
}

void finish_block(Activation kind, float* y, const float* residual, int64_t step, int rows,
                  int columns) noexcept {
  switch (kind) {
    case Activation::kRelu:
      return finish_rows<Activation::kRelu>(y, residual, step, rows, columns);
    case Activation::kGelu:
      return finish_rows<Activation::kGelu>(y, residual, step, rows, columns);
    case Activation::kGeluTanh:
      return finish_rows<Activation::kGeluTanh>(y, residual, step, rows, columns);
    case Activation::kSilu:
      return finish_rows<Activation::kSilu>(y, residual, step, rows, columns);
    case Activation::kNone:
      return finish_rows<Activation::kNone>(y, residual, step, rows, columns);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
