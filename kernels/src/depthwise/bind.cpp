// Python registration of the depthwise kernels.
#include "core/bind.h"

namespace linnet {

void bind_depthwise(ProgramClass&) {}

}  // namespace linnet
