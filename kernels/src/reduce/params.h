// Parameters of the reduce kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
