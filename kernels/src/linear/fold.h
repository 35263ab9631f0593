// Greatest and sum of a vector's lanes.
#pragma once

#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A vector's lanes folded onto each other by halves.
template <int kWidth>
LINNET_INLINE F folded_max(F x) {
  if constexpr (kWidth >= 1) {
    I index;
    for (int i = 0; i < kLanes; ++i) index[i] = i ^ kWidth;
    return folded_max<kWidth / 2>(max_f(x, (F)__builtin_shuffle(x, index)));
  } else {
    return x;
  }
}

template <int kWidth>
LINNET_INLINE F folded_sum(F x) {
  if constexpr (kWidth >= 1) {
    I index;
    for (int i = 0; i < kLanes; ++i) index[i] = i ^ kWidth;
    return folded_sum<kWidth / 2>(x + (F)__builtin_shuffle(x, index));
  } else {
    return x;
  }
}

LINNET_INLINE float top_of(F x) { return folded_max<kLanes / 2>(x)[0]; }
LINNET_INLINE float total_of(F x) { return folded_sum<kLanes / 2>(x)[0]; }

}  // namespace LINNET_ISA
}  // namespace linnet
