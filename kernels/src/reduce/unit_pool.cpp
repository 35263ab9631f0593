// ISA unit of the pooling kernels.
#include "reduce/pool.h"

namespace linnet {
namespace LINNET_ISA {

void max_pool_s8(const MaxPoolS8Params& p, const Worker& w) noexcept { pool<MaxS8>(p, w); }
void max_pool_s16(const MaxPoolS16Params& p, const Worker& w) noexcept { pool<MaxS16>(p, w); }
void max_pool_f32(const MaxPoolF32Params& p, const Worker& w) noexcept { pool<MaxF32>(p, w); }
void average_pool_s8(const AveragePoolS8Params& p, const Worker& w) noexcept { pool<MeanS8>(p, w); }
void average_pool_s16(const AveragePoolS16Params& p, const Worker& w) noexcept {
  pool<MeanS16>(p, w);
}
void average_pool_f32(const AveragePoolF32Params& p, const Worker& w) noexcept {
  pool<MeanF32>(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
