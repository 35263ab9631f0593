// The block-sparse kernels of one ISA.
#include "sparse/product.h"

namespace linnet {
namespace LINNET_ISA {

void sparse_f32(const SparseF32Params& p, const Worker& worker) noexcept { run_sparse(p, worker); }

}  // namespace LINNET_ISA
}  // namespace linnet
