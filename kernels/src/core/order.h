// What kernels ask about this CPU beyond its ISA.
#pragma once

namespace linnet {

// Whether it issues instructions in program order (Cortex-A53): some kernels have another schedule
// for it.
bool core_in_order() noexcept;

}  // namespace linnet
