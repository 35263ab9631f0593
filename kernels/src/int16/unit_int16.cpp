// Convolutions and matrix products of int16 activations with int8 weights, of one ISA.
// The tiles come with helpers that only other units use.
#pragma GCC diagnostic ignored "-Wunused-function"
#define LINNET_SIXTEEN_BITS 1
#include "int8/conv.h"

namespace linnet {
namespace LINNET_ISA {

void conv_s16(const ConvS16Params& p, const Worker& worker) noexcept { convolve(p, worker); }

}  // namespace LINNET_ISA
}  // namespace linnet
