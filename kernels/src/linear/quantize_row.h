// Quantizing rows of floats to bytes with a range of their own.
#pragma once

#include "int8/gather.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

struct Range {
  float low;
  float high;
};

// Smallest and greatest of a row and 0. NaN in both where the row holds NaN or an infinity.
static Range range_of(const float* x, int64_t count) {
  F low = splat_f(0.0f), high = splat_f(0.0f), odd = splat_f(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const F value = load_f(x + i);
    low = min_f(value, low);
    high = max_f(value, high);
    odd = fma(value, splat_f(0.0f), odd);
  }
  if (i < count) {
    const F value = load_f(x + i, static_cast<int>(count - i));
    low = min_f(value, low);
    high = max_f(value, high);
    odd = fma(value, splat_f(0.0f), odd);
  }
  const float none = sum_f(odd);
  return {-max_of_f(splat_f(0.0f) - low) + none, max_of_f(high) + none};
}

struct RowScale {
  float step;
  float inverse;
  int32_t zero;
};

static RowScale scale_of(Range range) {
  const float step = (range.high - range.low) / 255.0f;
  if (!(step >= 1e-35f)) return {step == step ? 1.0f : step, 0.0f, 0};
  const float inverse = 1.0f / step;
  const int32_t zero = to_i_round(splat_f(-range.low / step))[0];
  return {step, inverse, zero < 0 ? 0 : zero > 255 ? 255 : zero};
}

typedef int16_t Half __attribute__((vector_size(sizeof(I) / 2), aligned(2), may_alias));

LINNET_INLINE void store_element(uint8_t* to, I q) {
  if constexpr (kLayout.element == 1) {
    store_u8(to, q);
  } else {
    const I low = select((I)(q < 0), splat_i(0), q);
    *(Half*)to = __builtin_convertvector(select((I)(low > 255), splat_i(255), low), Half);
  }
}

// Writes a row of bytes in the form that the int8 tiles read, zeros up to a whole lane; writes up
// to a vector beyond. `divides`: x / step as ONNX has it, not x * (1 / step).
static void quantize_row(uint8_t* to, const float* x, int64_t count, const RowScale& scale,
                         bool divides) {
  const I zero = splat_i(scale.zero);
  if (divides && scale.inverse != 0.0f) {
    const F step = splat_f(scale.step);
    for (int64_t i = 0; i < count; i += kLanes) {
      store_element(to + i * kLayout.element, to_i_round(load_f(x + i) / step) + zero);
    }
  } else {
    const F inverse = splat_f(scale.inverse);
    for (int64_t i = 0; i < count; i += kLanes) {
      store_element(to + i * kLayout.element, to_i_round(load_f(x + i) * inverse) + zero);
    }
  }
  end_row(to, count);
}

}  // namespace LINNET_ISA
}  // namespace linnet
