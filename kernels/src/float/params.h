// Parameters of the float kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
