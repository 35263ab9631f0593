// Parameters of the kernels that measure the machine: what the others are compared with.
#pragma once

#include "core/kernel.h"

namespace linnet {

// Each part repeats its work `repeats` times and stores to done[part] how much that was:
// multiply-accumulates, bytes read, or links of a chain. `sink` takes one value per part, so that
// no compiler drops the work. `data` is read by peak_read only: `bytes` of it, a multiple of 4096
// per part, divided among the parts.
struct PeakParams {
  int64_t repeats;
  const uint8_t* data;
  int64_t bytes;
  int64_t* done;
  float* sink;
};

}  // namespace linnet
