// Arranges the constants of int8 convolutions for the kernels; see params.h.
#pragma once

#include <cstdint>
#include <vector>

#include "int8/layout.h"

namespace linnet {

// Numbers for all outputs, repeated where they are fewer.
template <class T>
struct Spread {
  const T* values;
  size_t count;
  T operator[](size_t output) const { return values[output % count]; }
};

// Constants as a model has them. Output channels come in `groups` blocks, each padded to whole
// panels.
struct PlainS8 {
  const int8_t* weights;  // [outputs][segments][segment]; packed: [panel][k / 4][16][4]
  int64_t outputs, segments, segment, groups;
  Spread<int32_t> weight_zeros;
  Spread<float> scales;
  const int64_t* bias;  // [outputs], or null
  int32_t zero;         // of the activations
  bool packed;          // in panels already: one group, symmetric, lanes of four k
};

// Which lanes' worth of k go on in further lanes, because int8 does not hold all of their weights
// less zero points.
std::vector<int64_t> continued_lanes(const PlainS8& plain, const LayoutS8& layout);

// Whether no int32 sum can overflow, scaled or not.
bool sums_fit(const PlainS8& plain);

// Panels of steps + more.size() lanes; bias, scales and zero points padded to whole panels.
struct PackedS8 {
  int8_t* panels;
  int32_t* bias;
  float* scales;
  int32_t* weight_zeros;  // null where weights are to be less their zero points
};

// Writes all of it, panels unless packed already; zero points and the activations' shift are folded
// into the bias.
void pack_s8(const PlainS8& plain, const LayoutS8& layout, const std::vector<int64_t>& more,
             const PackedS8& to);

}  // namespace linnet
