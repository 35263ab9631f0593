// Activations of rows that a linear layer just stored.
#pragma once

#include "linear/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// y = activation(y) + residual over rows of `columns` floats, `step` apart in both; residual may be
// null. In a unit of its own, where vectors take turns: one after the other each would wait for
// itself.
void finish_block(Activation kind, float* y, const float* residual, int64_t step, int rows,
                  int columns) noexcept;

}  // namespace LINNET_ISA
}  // namespace linnet
