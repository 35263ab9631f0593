// Parameters of the attention kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
