// The kernel table: rows by name, columns by ISA, chosen at run time.
#pragma once

#include <string>
#include <vector>

#include "core/kernel.h"

namespace linnet {

enum class Kernel : int {
#define LINNET_KERNEL(name, Params) name,
#include "core/kernels.inc"
#undef LINNET_KERNEL
  count
};

const char* kernel_name(Kernel kernel);

// ISA names of this build, weakest first.
const std::vector<std::string>& isa_names();

// Index of the strongest ISA that this CPU runs, or of the one that LINNET_ISA names.
// Throws std::invalid_argument where LINNET_ISA names one that is unknown or not supported here.
int default_isa();

// Index of a named ISA ("" = default). Throws std::invalid_argument like default_isa.
int find_isa(const std::string& name);

// Whether this CPU runs the ISA with this index.
bool isa_supported(int isa);

KernelFn kernel_function(Kernel kernel, int isa);

// The tails among a kernel's parameters, null where it takes none.
Tails* tails_of(Kernel kernel, void* params);

// Whether a kernel is worth being a tail, and can be: it splits its output by elements.
bool is_tail(Kernel kernel);

}  // namespace linnet
