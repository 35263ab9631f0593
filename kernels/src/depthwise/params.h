// Parameters of the depthwise kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
