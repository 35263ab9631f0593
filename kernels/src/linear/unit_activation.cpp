// What linear layers do to rows that they just stored.
#include "elementwise/math.h"
#include "linear/activation.h"

namespace linnet {
namespace LINNET_ISA {

template <Activation kKind, int N>
LINNET_INLINE void activate(F (&x)[N]) {
  if constexpr (kKind == Activation::kGelu) {
    gelu_f(x);
  } else {
    each_of<N>([&](int i) {
      if (kKind == Activation::kRelu) x[i] = max_f(splat_f(0.0f), x[i]);
      if (kKind == Activation::kGeluTanh) x[i] = gelu_tanh_f(x[i]);
      if (kKind == Activation::kSilu) x[i] = x[i] * sigmoid_f(x[i]);
      if (kKind == Activation::kRelu6) x[i] = clip_f(x[i], splat_f(0.0f), splat_f(6.0f));
      if (kKind == Activation::kQuickGelu) x[i] = x[i] * sigmoid_f(splat_f(1.702f) * x[i]);
    });
  }
}

// Rows that take turns: activations are long chains, of which an ISA with 32 registers holds twice
// as many.
constexpr int kRowsTogether = kLanes == 16 ? 2 : 1;

template <Activation kKind, bool kAdds, int kRows>
static void finish_some(float* y, const float* residual, int64_t step, int columns) {
  constexpr int kVectors = 4, kTogether = kRows * kVectors;
  int j = 0;
  for (; j + kVectors * kLanes <= columns; j += kVectors * kLanes) {
    const auto at = [&](int i) { return i / kVectors * step + j + i % kVectors * kLanes; };
    F value[kTogether];
    each_of<kTogether>([&](int i) { value[i] = load_f(y + at(i)); });
    activate<kKind>(value);
    if (kAdds) each_of<kTogether>([&](int i) { value[i] = value[i] + load_f(residual + at(i)); });
    each_of<kTogether>([&](int i) { store_f(y + at(i), value[i]); });
  }
  for (; j < columns; j += kLanes) {
    const int lanes = columns - j < kLanes ? columns - j : kLanes;
    for (int64_t at = j; at < kRows * step; at += step) {
      F value[1] = {load_f(y + at, lanes)};
      activate<kKind>(value);
      if (kAdds) value[0] = value[0] + load_f(residual + at, lanes);
      store_f(y + at, value[0], lanes);
    }
  }
}

template <Activation kKind, bool kAdds>
static void finish_all(float* y, const float* residual, int64_t step, int rows, int columns) {
  int i = 0;
  for (; i + kRowsTogether <= rows; i += kRowsTogether) {
    finish_some<kKind, kAdds, kRowsTogether>(y + i * step, residual + i * step, step, columns);
  }
  for (; i < rows; ++i) {
    finish_some<kKind, kAdds, 1>(y + i * step, residual + i * step, step, columns);
  }
}

template <Activation kKind>
static void finish_rows(float* y, const float* residual, int64_t step, int rows, int columns) {
  if (residual == nullptr) {
    finish_all<kKind, false>(y, y, step, rows, columns);
  } else {
    finish_all<kKind, true>(y, residual, step, rows, columns);
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
    case Activation::kRelu6:
      return finish_rows<Activation::kRelu6>(y, residual, step, rows, columns);
    case Activation::kQuickGelu:
      return finish_rows<Activation::kQuickGelu>(y, residual, step, rows, columns);
    case Activation::kNone:
      return finish_rows<Activation::kNone>(y, residual, step, rows, columns);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
