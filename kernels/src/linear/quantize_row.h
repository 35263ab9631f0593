// Quantizing rows of floats to bytes with a range of their own.
#pragma once

#include "int8/gather.h"
#include "linear/fold.h"
#include "linear/params.h"

namespace linnet {
namespace LINNET_ISA {

// Bytes 0..255 must be what a tile's activations are.
static_assert(kLayout.element == 2 || kLayout.shift == 128, "tiles take unsigned activations");

struct Range {
  float low;
  float high;
};

// Smallest and greatest of a row and 0. NaN in both where the row holds NaN or an infinity.
static Range range_of(const float* x, int64_t count) {
  F low[2] = {splat_f(0.0f), splat_f(0.0f)}, high[2] = {splat_f(0.0f), splat_f(0.0f)};
  // Bits of infinities and NaN are greater than those of other magnitudes.
  I odd = splat_i(0);
  int64_t i = 0;
  const auto take = [&](F value, int chain) {
    low[chain] = min_f(value, low[chain]);
    high[chain] = max_f(value, high[chain]);
    odd = odd | (I)((as_i(value) & splat_i(0x7fffffff)) >= splat_i(0x7f800000));
  };
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    take(load_f(x + i), 0);
    take(load_f(x + i + kLanes), 1);
  }
  for (; i < count; i += kLanes) {
    const int lanes = static_cast<int>(count - i < kLanes ? count - i : kLanes);
    take(lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes), 0);
  }
  const float none =
      top_of(select(odd, splat_f(1.0f), splat_f(0.0f))) > 0.0f ? __builtin_nanf("") : 0.0f;
  const F least = splat_f(0.0f) - min_f(low[0], low[1]);
  return {-top_of(least) + none, top_of(max_f(high[0], high[1])) + none};
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
