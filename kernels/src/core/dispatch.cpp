#include "core/dispatch.h"

#include <cstdlib>
#include <stdexcept>

#include "core/cpu.h"
#include "core/params.h"

namespace linnet {

#define LINNET_ISA_ROW(isa)         \
  namespace isa {                   \
  const KernelFn* table() noexcept; \
  }
LINNET_ISA_ROWS
#undef LINNET_ISA_ROW

namespace {

const char* const kNames[] = {
#define LINNET_KERNEL(name, Params) #name,
#include "core/kernels.inc"
#undef LINNET_KERNEL
    ""};

const KernelFn* isa_table(int isa) {
#define LINNET_ISA_ROW(isa) isa::table(),
  static const KernelFn* const tables[] = {LINNET_ISA_ROWS};
#undef LINNET_ISA_ROW
  return tables[isa];
}

template <class Params>
auto tails_in(Params* params, int) -> decltype(&params->tails) {
  return params->takes_tails() ? &params->tails : nullptr;
}
template <class Params>
Tails* tails_in(Params*, long) {
  return nullptr;
}

std::string supported_list() {
  std::string list;
  for (size_t i = 0; i < isa_names().size(); ++i) {
    if (isa_supported(static_cast<int>(i))) list += (list.empty() ? "" : ", ") + isa_names()[i];
  }
  return list;
}

}  // namespace

const char* kernel_name(Kernel kernel) { return kNames[static_cast<int>(kernel)]; }

const std::vector<std::string>& isa_names() {
#define LINNET_ISA_ROW(isa) #isa,
  static const std::vector<std::string> names = {LINNET_ISA_ROWS};
#undef LINNET_ISA_ROW
  return names;
}

bool isa_supported(int isa) { return cpu_runs(isa_names()[static_cast<size_t>(isa)]); }

int find_isa(const std::string& name) {
  if (name.empty()) return default_isa();
  for (size_t i = 0; i < isa_names().size(); ++i) {
    if (isa_names()[i] == name && isa_supported(static_cast<int>(i))) return static_cast<int>(i);
  }
  throw std::invalid_argument("ISA '" + name + "' is unknown or not supported by this CPU; use " +
                              supported_list());
}

int default_isa() {
  const char* forced = std::getenv("LINNET_ISA");
  if (forced != nullptr && *forced != '\0') return find_isa(forced);
  for (int isa = static_cast<int>(isa_names().size()) - 1; isa > 0; --isa) {
    if (isa_supported(isa)) return isa;
  }
  return 0;
}

KernelFn kernel_function(Kernel kernel, int isa) {
  return isa_table(isa)[static_cast<int>(kernel)];
}

Tails* tails_of(Kernel kernel, void* params) {
  switch (kernel) {
#define LINNET_KERNEL(name, Params) \
  case Kernel::name:                \
    return tails_in(static_cast<Params*>(params), 0);
#include "core/kernels.inc"
#undef LINNET_KERNEL
    default:
      return nullptr;
  }
}

bool is_tail(Kernel kernel) {
  switch (kernel) {
    case Kernel::unary_f32:
    case Kernel::binary_s8:
    case Kernel::table_u8:
      return true;
    default:
      return false;
  }
}

}  // namespace linnet
