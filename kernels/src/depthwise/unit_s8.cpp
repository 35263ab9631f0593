// ISA unit of the int8 depthwise kernel.
#include "depthwise/dw_s8.h"

namespace linnet {
namespace LINNET_ISA {

void depthwise_s8(const DepthwiseS8Params& p, const Worker& w) noexcept { dw_s8(p, w); }

}  // namespace LINNET_ISA
}  // namespace linnet
