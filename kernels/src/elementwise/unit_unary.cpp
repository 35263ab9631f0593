// Float32 functions of one operand.
#include "elementwise/unary.h"

namespace linnet {
namespace LINNET_ISA {

void unary_f32(const UnaryParams& p, const Worker& worker) noexcept {
  switch (p.op) {
#define LINNET_CASE(name) \
  case UnaryOp::name:     \
    return map_f32<name>(p, worker);
    LINNET_UNARY_OPS(LINNET_CASE)
#undef LINNET_CASE
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
