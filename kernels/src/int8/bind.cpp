// Python registration of the int8 kernels.
#include "core/bind.h"

namespace linnet {

void bind_int8(ProgramClass&) {}

}  // namespace linnet
