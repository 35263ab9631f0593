// Parameters of the norm kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {}
