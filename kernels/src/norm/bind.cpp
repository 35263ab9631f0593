// Python registration of the norm kernels.
#include "core/bind.h"

namespace linnet {

void bind_norm(ProgramClass&) {}

}  // namespace linnet
