// The int8 kernels of one ISA.
#include "int8/conv.h"
#include "int8/matmul.h"

namespace linnet {
namespace LINNET_ISA {

void conv_s8(const ConvS8Params& p, const Worker& worker) noexcept { convolve(p, worker); }
void matmul_s8(const MatMulS8Params& p, const Worker& worker) noexcept {
  matmul_s8_body(p, worker);
}

}  // namespace LINNET_ISA
}  // namespace linnet
