// How a depthwise convolution is cut into tasks for an ISA, and its weights arranged to match.
#pragma once

#include <string>

#include "core/program.h"
#include "depthwise/params.h"

namespace linnet {

// Vector lanes and taps per 32-bit lane of an ISA; the same numbers as in depthwise/lanes.h.
struct DepthwiseLanes {
  int lanes;
  int taps;
};
DepthwiseLanes depthwise_lanes(const std::string& isa);

// Fills every field of `p` that follows from `p.shape` and the largest and smallest weight.
void plan_s8(DepthwiseS8Params& p, DepthwiseLanes lanes, int lowest, int highest);

// Scratch bytes per thread that a planned convolution needs.
size_t scratch_s8(const DepthwiseS8Params& p, DepthwiseLanes lanes);

// Arranged constants: allocates, fills p.weights, p.bias and p.scale, returns their owner.
// weights [kernel_h * kernel_w][E], less their zero points; bias [E]; scale [E].
AlignedBytes pack_s8(DepthwiseS8Params& p, DepthwiseLanes lanes, const int16_t* weights,
                     const int64_t* bias, const float* scale);

}  // namespace linnet
