// Parameters of the move kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
