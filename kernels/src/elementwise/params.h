// Parameters of the elementwise kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
