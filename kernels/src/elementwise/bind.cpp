// Python registration of the elementwise kernels.
#include "core/bind.h"

namespace linnet {

void bind_elementwise(ProgramClass&) {}

}  // namespace linnet
