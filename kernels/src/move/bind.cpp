// Python registration of the move kernels.
#include "core/bind.h"

namespace linnet {

void bind_move(ProgramClass&) {}

}  // namespace linnet
