// Python registration of the attention kernels.
#include "core/bind.h"

namespace linnet {

void bind_attention(ProgramClass&) {}

}  // namespace linnet
