// ISA unit of the reduction kernels.
#include "reduce/extreme.h"

namespace linnet {
namespace LINNET_ISA {

void reduce_f32(const ReduceF32Params& p, const Worker& w) noexcept {
  if (p.kind == Reduction::sum) fold_f32<SumF32>(p, w);
  if (p.kind == Reduction::max) fold_f32<MaxOfF32>(p, w);
  if (p.kind == Reduction::min) fold_f32<MinOfF32>(p, w);
}

void reduce_s8(const ReduceS8Params& p, const Worker& w) noexcept {
  if (p.kind == Reduction::sum) sum_s8(p, w);
  if (p.kind == Reduction::max) fold_s8<MaxOfS8>(p, w);
  if (p.kind == Reduction::min) fold_s8<MinOfS8>(p, w);
}

void reduce_s16(const ReduceS16Params& p, const Worker& w) noexcept {
  if (p.kind == Reduction::sum) fold_s16<SumOfS16>(p, w);
  if (p.kind == Reduction::max) fold_s16<MaxOfS16>(p, w);
  if (p.kind == Reduction::min) fold_s16<MinOfS16>(p, w);
}

void arg_extreme_f32(const ArgExtremeParams& p, const Worker& w) noexcept { arg_f32(p, w); }
void arg_extreme_s8(const ArgExtremeParams& p, const Worker& w) noexcept { arg_s8(p, w); }

}  // namespace LINNET_ISA
}  // namespace linnet
