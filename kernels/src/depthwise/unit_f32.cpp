// ISA unit of the float depthwise kernel.
#include "depthwise/dw_direct_f32.h"
#include "depthwise/dw_f32.h"
#include "depthwise/dw_square_f32.h"

namespace linnet {
namespace LINNET_ISA {

void depthwise_f32(const DepthwiseF32Params& p, const Worker& w) noexcept {
  if (p.shape.multiplier == 1 && dw_is_square(p.shape, w.threads)) return dw_square_f32(p, w);
  if (p.shape.multiplier == 1) return dw_direct_f32(p, w);
  dw_f32(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
