// One ISA's column of the kernel table.
#include "core/params.h"

namespace linnet {
namespace LINNET_ISA {

#define LINNET_KERNEL(name, Params)                                       \
  void name(const Params& params, const Worker& worker) noexcept;         \
  static void call_##name(const void* params, const Worker& w) noexcept { \
    name(*static_cast<const Params*>(params), w);                         \
  }
#include "core/kernels.inc"
#undef LINNET_KERNEL

static const KernelFn kTable[] = {
#define LINNET_KERNEL(name, Params) call_##name,
#include "core/kernels.inc"
#undef LINNET_KERNEL
    nullptr};

const KernelFn* table() noexcept { return kTable; }

}  // namespace LINNET_ISA
}  // namespace linnet
