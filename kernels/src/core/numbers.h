// Element types by name, for kernels that serve several.
#pragma once

#include <stdint.h>

namespace linnet {

#define LINNET_NUMBER_TYPES(X) \
  X(float32, float)            \
  X(int32, int32_t) X(int64, int64_t) X(int8, int8_t) X(uint8, uint8_t) X(bool, bool)

enum class NumberType : int32_t {
#define LINNET_NAME(name, type) name##_,
  LINNET_NUMBER_TYPES(LINNET_NAME)
#undef LINNET_NAME
};

}  // namespace linnet
