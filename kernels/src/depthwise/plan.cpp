#include "depthwise/plan.h"

#include <algorithm>
#include <numeric>

namespace linnet {
namespace {

// Words of a task that should stay in the first-level cache, and units per task that keep the
// overlap of neighboring tiles small.
constexpr size_t kWordBytes = 24 * 1024;
constexpr int kLeastTile = 8;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

int row_units_all(const DepthwiseS8Params& p, int unit) {
  const DepthwiseShape& s = p.shape;
  return p.flat ? ceil_div(s.out_width * s.outputs, unit) : s.out_width;
}

// Position in a unit's vectors (vector * lanes + lane) of the unit's channel `c` after interleaving
// within 128-bit parts of registers.
int lane_of_channel(DepthwiseLanes l, int c) {
  const int values = l.taps == 4 ? 4 * l.lanes : 2 * l.lanes;  // per register
  const int parts = values / (l.lanes / 4);                    // per 128-bit part
  const int in_register = c % values;
  const int vector = c / values * (parts / 4) + in_register % parts / 4;
  return vector * l.lanes + in_register / parts * 4 + c % 4;
}

int channel_of(const DepthwiseS8Params& p, int unit, int block, int c) {
  if (p.flat) return (block * unit + c) % p.shape.outputs;
  return std::min(block * unit, p.shape.outputs - unit) + c;
}

// The part of a weight that piece number `piece` holds: int8 numbers that add up to it.
int piece_of(int weight, int piece) {
  int part = 0;
  for (int i = 0; i <= piece; ++i) {
    part = std::clamp(weight, -128, 127);
    weight -= part;
  }
  return part;
}

void choose_tiles(DepthwiseS8Params& p, int unit) {
  const int all = row_units_all(p, unit);
  const int halo = p.planes == 1 ? (p.groups - 1) * p.shift : 0;
  const size_t per_unit = static_cast<size_t>(p.slots) * p.planes * unit * 4;
  const int fitting = static_cast<int>(kWordBytes / per_unit) - halo;
  const int wanted = std::max(fitting, std::max(kLeastTile, halo));
  const int turns = ceil_div(all, p.cycle);
  const int tiles = ceil_div(turns, std::max(wanted / p.cycle, 1));
  p.tile = ceil_div(turns, tiles) * p.cycle;
  p.tiles = ceil_div(all, p.tile);
  p.row_units = std::min(p.tile, all) + halo;
}

}  // namespace

DepthwiseLanes depthwise_lanes(const std::string& isa) {
  if (isa == "avx512vnni") return {16, 4};
  if (isa == "avx2") return {8, 2};
  return {4, 2};
}

void plan_s8(DepthwiseS8Params& p, DepthwiseLanes l, int lowest, int highest) {
  const DepthwiseShape& s = p.shape;
  const int unit = 4 * l.lanes;
  p.flat = s.outputs < unit;
  p.cycle = p.flat ? s.outputs / std::gcd(s.outputs, unit) : 1;
  p.blocks = p.flat ? std::min(p.cycle, row_units_all(p, unit)) : ceil_div(s.outputs, unit);
  p.groups = ceil_div(s.kernel_w, l.taps);
  p.pieces = 1;
  if (l.taps == 4 && (lowest < -128 || highest > 127)) p.pieces = highest > 254 ? 3 : 2;
  const int columns = l.taps * s.dilation_w;
  const int positions = columns / s.stride_w * s.outputs;
  const bool whole = columns % s.stride_w == 0;
  const bool shared = p.groups == 1 || (whole && (!p.flat || positions % (p.cycle * unit) == 0));
  p.planes = shared ? 1 : p.groups;
  p.shift = p.flat ? positions / unit : columns / s.stride_w;
  if (!shared || p.groups == 1) p.shift = 0;
  p.slots = (s.kernel_h - 1) * s.dilation_h + 1;
  choose_tiles(p, unit);
  const int reach = (std::max(s.kernel_w, l.taps) - 1) * s.dilation_w;
  if (p.flat) {
    p.raw_pixels = ceil_div(p.row_units * unit, s.outputs) + reach / s.stride_w + 2;
  } else {
    p.raw_pixels = (p.row_units - 1) * s.stride_w + reach + 1;
  }
}

size_t scratch_s8(const DepthwiseS8Params& p, DepthwiseLanes l) {
  const DepthwiseShape& s = p.shape;
  const size_t unit = static_cast<size_t>(4 * l.lanes);
  const size_t row = static_cast<size_t>(p.planes) * p.row_units * unit * sizeof(int32_t);
  const size_t raw = p.flat ? s.stride_w * (static_cast<size_t>(p.raw_pixels) * s.outputs + unit)
                            : p.raw_pixels * unit;
  const size_t lists = sizeof(void*) * s.kernel_h + sizeof(int) * p.slots + 64;
  return (p.slots + 1) * row + lists + (raw + unit) * (4 / l.taps);
}

AlignedBytes pack_s8(DepthwiseS8Params& p, DepthwiseLanes l, const int16_t* weights,
                     const int64_t* bias, const float* scale) {
  const DepthwiseShape& s = p.shape;
  const int unit = 4 * l.lanes;
  const size_t block_words = static_cast<size_t>(s.kernel_h) * p.pieces * p.groups * unit;
  const size_t total = p.blocks * (block_words + 2 * static_cast<size_t>(unit));
  AlignedBytes memory = allocate_aligned(total * sizeof(int32_t));
  int32_t* words = static_cast<int32_t*>(memory.get());
  int32_t* sums = words + p.blocks * block_words;
  float* scales = reinterpret_cast<float*>(sums + p.blocks * unit);
  p.weights = words;
  p.bias = sums;
  p.scale = scales;
  const int offset = l.taps == 4 ? p.zero_in + 128 : 0;
  for (int i = 0; i < p.blocks * unit; ++i) {
    const int block = i / unit, channel = channel_of(p, unit, block, i % unit);
    const int lane = lane_of_channel(l, i % unit);
    int64_t total_weight = 0;
    for (int tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
      const int weight = weights[static_cast<size_t>(tap) * s.outputs + channel];
      total_weight += weight;
      const int kx = tap % s.kernel_w;
      for (int piece = 0; piece < p.pieces; ++piece) {
        const size_t row = static_cast<size_t>(block) * s.kernel_h + tap / s.kernel_w;
        const size_t group = (row * p.pieces + piece) * p.groups + kx / l.taps;
        int32_t* place = words + group * unit + lane;
        if (l.taps == 4) {
          reinterpret_cast<int8_t*>(place)[kx % 4] = static_cast<int8_t>(piece_of(weight, piece));
        } else {
          reinterpret_cast<int16_t*>(place)[kx % 2] = static_cast<int16_t>(weight);
        }
      }
    }
    sums[block * unit + lane] = static_cast<int32_t>(bias[channel] - offset * total_weight);
    scales[block * unit + lane] = scale[channel];
  }
  return memory;
}

}  // namespace linnet
