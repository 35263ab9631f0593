// Parameters of the int8 kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
