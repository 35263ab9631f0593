// ISA unit of the int8 depthwise kernel.
#include "depthwise/direct_s8.h"

namespace linnet {
namespace LINNET_ISA {

void depthwise_s8(const DepthwiseS8Params& p, const Worker& w) noexcept {
#if defined(LINNET_ISA_avx512vnni)
  if (p.direct) return direct_s8(p, w);
#endif
  dw_s8(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
