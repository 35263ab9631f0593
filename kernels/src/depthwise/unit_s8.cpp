// ISA unit of the int8 depthwise kernel.
#include "depthwise/channels_neon.h"
#include "depthwise/columns_neon.h"
#include "depthwise/direct_s8.h"
#include "depthwise/window_neon.h"

namespace linnet {
namespace LINNET_ISA {

void depthwise_s8(const DepthwiseS8Params& p, const Worker& w) noexcept {
#if defined(LINNET_ISA_avx512vnni)
  if (p.direct) return direct_s8(p, w);
#elif defined(__ARM_FEATURE_DOTPROD)
  if (p.columns) return columns_s8(p, w);
#elif defined(LINNET_NEON)
#if defined(__aarch64__)
  if (p.columns && columns_by_hand(p, w)) return;
#endif
  if (p.columns) return p.wide ? window_s8<WideTaps>(p, w) : window_s8<NarrowTaps>(p, w);
  return p.wide ? channels_s8<int16_t>(p, w) : channels_s8<int8_t>(p, w);
#endif
  dw_s8(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
