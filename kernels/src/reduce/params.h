// Parameters of the pooling and reduction kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {

// Windows over channels-last images; padding is `top` rows above, `left` columns beside.
struct PoolShape {
  int batch, height, width, channels;
  int out_height, out_width;
  int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
  int bottom, right;  // read where padding counts
};

// y = clip(max over the taps inside the image, low, high).
template <class T, class Bound>
struct MaxPoolParams {
  PoolShape shape;
  const T* x;
  T* y;
  Bound low, high;
};
using MaxPoolS8Params = MaxPoolParams<int8_t, int>;
using MaxPoolS16Params = MaxPoolParams<int16_t, int>;
using MaxPoolF32Params = MaxPoolParams<float, float>;

enum class MeanRounding : int { half_even, half_up, half_away };

// v = float32(sum of (x - zero_in)) * (ratio / float32(count)), rounded to whole steps:
//   half_even   rint(v) + zero_out        half_up   floor(v + 0.5) + zero_out
//   half_away   u = v + zero_out, away from the stored 0: trunc(u + copysign(0.5, u))
// and clipped to [low, high]. count: taps inside the image, or inside the padded image. At most
// 255 kernel rows of int8; sums fit int32.
template <class T>
struct StoredAveragePoolParams {
  PoolShape shape;
  const T* x;
  T* y;
  float ratio;
  int zero_in, zero_out, low, high;
  bool count_padding;
  MeanRounding rounding;
};
using AveragePoolS8Params = StoredAveragePoolParams<int8_t>;
using AveragePoolS16Params = StoredAveragePoolParams<int16_t>;
// y = clip(sum / count, low, high).
struct AveragePoolF32Params {
  PoolShape shape;
  const float* x;
  float* y;
  float low, high;
  bool count_padding;
};

// x [outer, first, middle, second, inner] reduced over first and second.
struct ReduceShape {
  int64_t outer, first, middle, second, inner;
};

enum class Reduction : int { sum, max, min };

// sum: y = sum / divisor. Otherwise the extreme; NaN wins.
struct ReduceF32Params {
  ReduceShape shape;
  Reduction kind;
  const float* x;
  float* y;
  float divisor;
};

// sum: y = rint(float32(sum of (x - zero_in)) * scale) + zero_out, saturated; the sum must fit
// int32. Otherwise the extreme stored value.
template <class T>
struct StoredReduceParams {
  ReduceShape shape;
  Reduction kind;
  const T* x;
  T* y;
  float scale;
  int zero_in, zero_out;
};
using ReduceS8Params = StoredReduceParams<int8_t>;
using ReduceS16Params = StoredReduceParams<int16_t>;

// y[i] = the first (or last) place of the largest or smallest element of x[i, 0..length); int32 or
// int64. NaN wins. int8: length at most 65536.
struct ArgExtremeParams {
  int64_t outer, length;
  const void* x;
  void* y;
  bool largest, last, wide;
};

}  // namespace linnet
