// Python registration of the reduce kernels.
#include "core/bind.h"

namespace linnet {

void bind_reduce(ProgramClass&) {}

}  // namespace linnet
