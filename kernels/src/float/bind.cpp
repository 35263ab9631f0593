// Python registration of the float kernels.
#include "core/bind.h"

namespace linnet {

void bind_float(ProgramClass&) {}

}  // namespace linnet
