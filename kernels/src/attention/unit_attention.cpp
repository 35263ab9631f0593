// The attention kernels of one ISA.
#include "attention/flash.h"

namespace linnet {
namespace LINNET_ISA {

void attention_f32(const AttentionF32Params& p, const Worker& worker) noexcept {
  run_attention(p, worker);
}

}  // namespace LINNET_ISA
}  // namespace linnet
