// How a depthwise convolution is cut into tasks for an ISA, and its weights arranged to match.
#pragma once

#include <string>

#include "core/program.h"
#include "depthwise/params.h"

namespace linnet {

// Vector lanes and int8 taps per 32-bit lane of an ISA (1: taps are not interleaved), and what is
// added to taps; the same numbers as in depthwise/lanes.h.
struct DepthwiseLanes {
  int lanes;
  int taps;
  int shift;
};
DepthwiseLanes depthwise_lanes(const std::string& isa);

// Each fills what follows from `p.shape` (and the weights' values) and returns the scratch bytes
// that a thread needs.
size_t plan_s8(DepthwiseS8Params& p, DepthwiseLanes lanes, const int16_t* weights);
size_t plan_f32(DepthwiseF32Params& p, DepthwiseLanes lanes);

// Each allocates and arranges the constants of a planned convolution, points `p` at them and
// returns their owner. weights [kernel_h * kernel_w][E] (int8: less their zero points); bias [E];
// scale [E].
AlignedBytes pack_s8(DepthwiseS8Params& p, DepthwiseLanes lanes, const int16_t* weights,
                     const int64_t* bias, const float* scale);
AlignedBytes pack_f32(DepthwiseF32Params& p, DepthwiseLanes lanes, const float* weights,
                      const float* bias);

}  // namespace linnet
