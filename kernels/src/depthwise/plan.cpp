#include "depthwise/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace linnet {
namespace {

// Prepared rows of a task should stay in the first-level cache, and tiles be wide enough for the
// columns that neighbors both prepare not to matter.
constexpr size_t kRowBytes = 24 * 1024;
constexpr int kLeastTile = 8;
// Beyond this many different units, the weights of flat units leave the cache.
constexpr int kMostCycle = 32;
// Idle lanes that a block of channels may have before flat units are better; columns in registers
// are worth more of them.
constexpr double kWaste = 0.125;
constexpr double kColumnWaste = 0.4;
// Channels of the widest unit.
constexpr int kMostUnit = 64;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Flat units fill their vectors where blocks of channels would leave more than `waste` of them
// idle.
bool lies_flat(const DepthwiseShape& s, int unit, double waste) {
  if (s.outputs < unit) return true;
  const int padded = ceil_div(s.outputs, unit) * unit;
  return padded > s.outputs * (1 + waste) && s.outputs / std::gcd(s.outputs, unit) <= kMostCycle;
}

int units_per_row(const DepthwiseShape& s, const DepthwiseTiles& t, int unit) {
  return t.flat ? ceil_div(s.out_width * s.outputs, unit) : s.out_width;
}

void choose_mapping(const DepthwiseShape& s, DepthwiseTiles& t, int unit, double waste) {
  t.flat = lies_flat(s, unit, waste);
  t.cycle = t.flat ? s.outputs / std::gcd(s.outputs, unit) : 1;
  t.blocks = t.flat ? std::min(t.cycle, units_per_row(s, t, unit)) : ceil_div(s.outputs, unit);
  t.slots = (s.kernel_h - 1) * s.dilation_h + 1;
}

// `unit_bytes` of every kept row belong to one unit, and `halo` units are prepared beside a tile.
void choose_tile(const DepthwiseShape& s, DepthwiseTiles& t, int unit, int halo,
                 size_t unit_bytes) {
  const int all = units_per_row(s, t, unit);
  const int fitting =
      static_cast<int>(kRowBytes / (unit_bytes * static_cast<size_t>(t.slots))) - halo;
  const int wanted = std::max(fitting, std::max(kLeastTile, halo));
  const int turns = ceil_div(all, t.cycle);
  const int tiles = ceil_div(turns, std::max(wanted / t.cycle, 1));
  t.tile = std::min(ceil_div(turns, tiles) * t.cycle, std::max(all, t.cycle));
  t.tiles = ceil_div(all, t.tile);
}

// `units` are prepared per row; taps beyond the kernel, up to `taps`, are read but not used.
void choose_pixels(const DepthwiseShape& s, DepthwiseTiles& t, int unit, int units, int taps) {
  const int reach = (std::max(s.kernel_w, taps) - 1) * s.dilation_w;
  if (t.flat) {
    t.raw_pixels = ceil_div(units * unit, s.outputs) + reach / s.stride_w + 2;
  } else {
    t.raw_pixels = (units - 1) * s.stride_w + reach + 1;
  }
}

size_t copied_values(const DepthwiseShape& s, const DepthwiseTiles& t, int unit) {
  const size_t pixels = static_cast<size_t>(t.raw_pixels);
  const size_t phases = static_cast<size_t>(s.stride_w);
  const size_t phase = pixels * static_cast<size_t>(s.outputs) + static_cast<size_t>(unit);
  return (t.flat ? phases * phase : pixels * static_cast<size_t>(unit)) + static_cast<size_t>(unit);
}

size_t ring_bytes(const DepthwiseShape& s, const DepthwiseTiles& t, size_t row_bytes) {
  const size_t rows = static_cast<size_t>(t.slots) + 1;
  const size_t lists = sizeof(void*) * static_cast<size_t>(s.kernel_h) + sizeof(int) * rows;
  return rows * row_bytes + lists + 64;
}

// Where in a unit's vectors (vector * lanes + lane) its channel `c` lies after the interleaving,
// which works within 128-bit parts of registers.
int lane_of_channel(DepthwiseLanes l, int c) {
  if (l.taps == 1) return c;
  const int values = l.taps == 4 ? 4 * l.lanes : 2 * l.lanes;  // per register
  const int part = values / (l.lanes / 4);
  const int vector = c / values * (part / 4) + c % part / 4;
  return vector * l.lanes + c % values / part * 4 + c % 4;
}

int channel_of(const DepthwiseShape& s, const DepthwiseTiles& t, int unit, int block, int c) {
  if (t.flat) return (block * unit + c) % s.outputs;
  return std::min(block * unit, s.outputs - unit) + c;
}

// The int8 number that piece `piece` of a weight holds; the pieces add up to the weight.
int piece_of(int weight, int piece) {
  for (; piece > 0; --piece) weight -= std::clamp(weight, -128, 127);
  return std::clamp(weight, -128, 127);
}

// The eight qwords of the input, from the first on, that a flat unit takes at a stride of two.
void pick_qwords(const DepthwiseShape& s, int unit, int block, int64_t* picks) {
  const int pixel = s.channels / 8, first = block * unit % s.channels / 8;
  for (int q = 0; q < 8; ++q) picks[q] = q + (first + q) / pixel * static_cast<int64_t>(pixel);
}

// Whether two vectors hold the input of every flat unit at a stride of two.
bool picks_fit(const DepthwiseShape& s, int unit, int blocks) {
  if (s.channels % 8 != 0) return false;
  int64_t picks[8], last = 0;
  for (int block = 0; block < blocks; ++block) {
    pick_qwords(s, unit, block, picks);
    last = std::max(last, picks[7]);
  }
  return last < 16;
}

// Reading the input as it is needs four bytes per lane, three or four kernel rows, and a reach that
// registers hold.
bool choose_direct(DepthwiseS8Params& p, DepthwiseLanes l) {
  const DepthwiseShape& s = p.shape;
  const int unit = 4 * l.lanes;
  if (l.lanes != 16 || l.taps != 4 || s.multiplier != 1 || p.pieces > 2 || s.stride_w > 2)
    return false;
  choose_mapping(s, p.tiles, unit, kColumnWaste);
  p.rows = s.stride_h == 1 && s.kernel_h == 3 ? 2 : 1;
  const bool flat = (s.kernel_h == 3 || s.kernel_h == 4) &&
                    s.outputs / std::gcd(s.outputs, unit) <= kMostCycle &&
                    (s.stride_w == 1 || picks_fit(s, unit, p.tiles.blocks));
  const bool columns = s.outputs >= unit && s.kernel_w == 3 && s.kernel_h == 3 &&
                       (s.stride_w == 1 || s.dilation_w == 1);
  if (p.tiles.flat && !flat && columns) choose_mapping(s, p.tiles, unit, 1.0);
  return p.tiles.flat ? flat : columns;
}

// Arm's kernels that keep three columns in registers and read the image in place; with dot products
// kernels of few rows gain nothing by it.
bool by_columns(DepthwiseS8Params& p, DepthwiseLanes l) {
  const DepthwiseShape& s = p.shape;
  if (l.lanes != 4 || l.taps == 2 || s.multiplier != 1) return false;
  const bool rows = s.kernel_h == 3 || (s.kernel_h == 4 && l.taps == 4);
  if (!rows || (l.taps == 4 && p.pieces != 1)) return false;
  if (s.kernel_w != 3 || s.dilation_w != 1 || s.stride_w > 2) return false;
  choose_mapping(s, p.tiles, 4 * l.lanes, kColumnWaste);
  p.tiles.tile = s.out_width, p.tiles.tiles = 1;
  return !p.tiles.flat;
}

// A tap's weights for one unit as they are, in the order of their channels.
void put_plain(const DepthwiseS8Params& p, void* weights, size_t place, const int* tap, int unit) {
  if (p.wide) {
    std::copy_n(tap, unit, static_cast<int16_t*>(weights) + place);
  } else {
    std::copy_n(tap, unit, static_cast<int8_t*>(weights) + place);
  }
}

// Where a piece of a weight goes, in bytes from its lane's first word.
struct Place {
  size_t byte;
  int piece;
};

// The places of a kernel's taps, the same number for each.
std::vector<Place> places_of(const DepthwiseS8Params& p, DepthwiseLanes l) {
  const int kernel_w = p.shape.kernel_w, unit = 4 * l.lanes;
  std::vector<Place> places;
  const auto put = [&](int word, int byte, int piece) {
    places.push_back({static_cast<size_t>(word) * unit * sizeof(int32_t) + byte, piece});
  };
  for (int tap = 0; tap < p.shape.kernel_h * kernel_w; ++tap) {
    const int kx = tap % kernel_w, ky = tap / kernel_w;
    if (p.columns) {
      put(kx, ky, 0);
      continue;
    }
    for (int i = 0; p.direct && i < p.rows * p.pieces; ++i) {
      put(i * kernel_w + kx, ky + i / p.pieces, i % p.pieces);
    }
    for (int piece = 0; !p.direct && piece < p.pieces; ++piece) {
      const int group = (ky * p.pieces + piece) * p.groups + kx / l.taps;
      put(group, l.taps == 4 ? kx % 4 : kx % 2 * 2, piece);
    }
  }
  return places;
}

// Puts a tap's weights for one unit, in the order of their lanes, into that unit's words.
void put_tap(Place place, int taps, int32_t* words, const int* tap, int unit) {
  char* first = reinterpret_cast<char*>(words) + place.byte;
  for (int lane = 0; lane < unit; ++lane) {
    if (taps == 4) {
      const int piece =
          place.piece == 0 ? std::clamp(tap[lane], -128, 127) : piece_of(tap[lane], place.piece);
      first[sizeof(int32_t) * lane] = static_cast<char>(piece);
    } else {
      reinterpret_cast<int16_t*>(first)[2 * lane] = static_cast<int16_t>(tap[lane]);
    }
  }
}

// One unit while its weights are packed: the channel of each lane, and what its weights add up to.
struct Unit {
  int channel[kMostUnit] = {};
  int64_t total[kMostUnit] = {}, size[kMostUnit] = {};

  // Fetches a tap's weights in the order of lanes, and counts them.
  void take(const int16_t* row, int* tap, int lanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      tap[lane] = row[channel[lane]];
      total[lane] += tap[lane], size[lane] += std::abs(tap[lane]);
    }
  }
};

// The largest sums that a convolution can meet, before and after scaling.
struct Largest {
  double sum = 0, output = 0;
};

// Writes a unit's bias and scale, its input's offset folded into the bias.
void put_sums(const Unit& unit, int lanes, int offset, const int64_t* bias, const float* scale,
              int32_t* sums, float* scales, Largest& largest) {
  for (int lane = 0; lane < lanes; ++lane) {
    const int channel = unit.channel[lane];
    sums[lane] = static_cast<int32_t>(bias[channel] - offset * unit.total[lane]);
    scales[lane] = scale[channel];
    const double middle = sums[lane] - 0.5 * static_cast<double>(unit.total[lane]);
    const double most = std::abs(middle) + 127.5 * static_cast<double>(unit.size[lane]);
    largest.sum = std::max(largest.sum, most);
    largest.output = std::max(largest.output, most * scale[channel]);
  }
}

// Groups share a plane of words where moving on by a group's taps is moving on by whole units.
void choose_planes(DepthwiseS8Params& p, DepthwiseLanes l) {
  const DepthwiseShape& s = p.shape;
  const int unit = 4 * l.lanes, columns = l.taps * s.dilation_w;
  const int values = columns / s.stride_w * s.outputs;
  const bool aligned = !p.tiles.flat || values % (p.tiles.cycle * unit) == 0;
  const bool shared = p.groups == 1 || (columns % s.stride_w == 0 && aligned);
  p.planes = shared ? 1 : p.groups;
  p.shift = shared && p.groups > 1 ? (p.tiles.flat ? values / unit : columns / s.stride_w) : 0;
}

size_t plan_direct(const DepthwiseShape& s, DepthwiseTiles& t, DepthwiseLanes l, size_t value) {
  const int unit = 4 * l.lanes;
  choose_mapping(s, t, unit, kWaste);
  const int step = t.flat ? 1 : s.stride_w;
  choose_tile(s, t, unit, 0, static_cast<size_t>(step * unit) * value);
  choose_pixels(s, t, unit, std::min(t.tile, units_per_row(s, t, unit)), 1);
  const size_t sources = sizeof(void*) * static_cast<size_t>(s.kernel_h * s.kernel_w);
  return ring_bytes(s, t, copied_values(s, t, unit) * value) + sources;
}

// Whether two taps of one 16-bit sum are both -128, or some weight is beyond int8.
bool needs_words(const DepthwiseShape& s, const int16_t* weights, int lowest, int highest) {
  if (lowest < -128 || highest > 127) return true;
  for (int tap = 0; tap + 1 < s.kernel_h * s.kernel_w; tap += 2) {
    const int16_t* first = weights + static_cast<size_t>(tap) * s.outputs;
    for (int c = 0; c < s.outputs; ++c) {
      if (first[c] == -128 && first[c + s.outputs] == -128) return true;
    }
  }
  return false;
}

}  // namespace

DepthwiseLanes depthwise_lanes(const std::string& isa) {
  if (isa == "avx512vnni") return {16, 4, 128};
  if (isa == "avx2") return {8, 2, 0};
  if (isa == "dotprod" || isa == "i8mm") return {4, 4, 0};
#if defined(__aarch64__) || defined(__arm__)
  return {4, 1, 0};
#else
  return {4, 2, 0};
#endif
}

size_t plan_s8(DepthwiseS8Params& p, DepthwiseLanes l, const int16_t* weights) {
  const DepthwiseShape& s = p.shape;
  int16_t lowest = 0, highest = 0;
  for (size_t i = 0; i < static_cast<size_t>(s.kernel_h) * s.kernel_w * s.outputs; ++i) {
    lowest = std::min(lowest, weights[i]), highest = std::max(highest, weights[i]);
  }
  if (l.taps == 1) {
    p.wide = needs_words(s, weights, lowest, highest);
    p.columns = by_columns(p, l);
    if (p.columns) return 0;
    return plan_direct(s, p.tiles, l, p.wide ? sizeof(int16_t) : sizeof(int8_t));
  }
  const int unit = 4 * l.lanes;
  const size_t value = l.taps == 4 ? sizeof(int8_t) : sizeof(int16_t);
  p.pieces = 1;
  if (l.taps == 4 && (lowest < -128 || highest > 127)) p.pieces = highest > 254 ? 3 : 2;
  p.direct = choose_direct(p, l);
  if (p.direct) return static_cast<size_t>(s.width) * static_cast<size_t>(s.channels) + 2 * 64;
  p.columns = by_columns(p, l);
  if (p.columns) return 0;
  choose_mapping(s, p.tiles, unit, kWaste);
  p.groups = ceil_div(s.kernel_w, l.taps);
  choose_planes(p, l);
  const int halo = (p.groups - 1) * p.shift;
  choose_tile(s, p.tiles, unit, halo, static_cast<size_t>(p.planes * unit) * sizeof(int32_t));
  p.row_units = std::min(p.tiles.tile, units_per_row(s, p.tiles, unit)) + halo;
  choose_pixels(s, p.tiles, unit, p.row_units, l.taps);
  const size_t row = static_cast<size_t>(p.planes) * static_cast<size_t>(p.row_units * unit);
  const size_t sources = static_cast<size_t>(s.kernel_h * p.pieces * p.groups) * sizeof(void*);
  return ring_bytes(s, p.tiles, row * sizeof(int32_t)) + sources + 64 +
         copied_values(s, p.tiles, unit) * value;
}

size_t plan_f32(DepthwiseF32Params& p, DepthwiseLanes l) {
  if (p.shape.multiplier == 1) {
    return 2 * sizeof(void*) * static_cast<size_t>(p.shape.kernel_h * p.shape.kernel_w);
  }
  return plan_direct(p.shape, p.tiles, l, sizeof(float));
}

AlignedBytes pack_s8(DepthwiseS8Params& p, DepthwiseLanes l, const int16_t* weights,
                     const int64_t* bias, const float* scale) {
  const DepthwiseShape& s = p.shape;
  const int unit = 4 * l.lanes, taps = s.kernel_h * s.kernel_w;
  const size_t channels = static_cast<size_t>(p.tiles.blocks) * unit;
  const size_t per_channel =
      l.taps == 1 ? static_cast<size_t>(taps)
      : p.columns ? static_cast<size_t>(s.kernel_w)
                  : static_cast<size_t>(p.pieces *
                                        (p.direct ? p.rows * s.kernel_w : s.kernel_h * p.groups));
  AlignedBytes memory = allocate_aligned(channels * (per_channel + 3) * sizeof(int32_t));
  int32_t* words = static_cast<int32_t*>(memory.get());
  int32_t* sums = words + channels * per_channel;
  float* scales = reinterpret_cast<float*>(sums + channels);
  int64_t* picks = reinterpret_cast<int64_t*>(scales + channels);
  p.weights = words, p.bias = sums, p.scale = scales, p.picks = picks;
  for (int block = 0; p.direct && p.tiles.flat && s.stride_w == 2 && block < p.tiles.blocks;
       ++block) {
    pick_qwords(s, unit, block, picks + 8 * block);
  }
  const int offset = l.taps == 2 ? 0 : p.zero_in + l.shift;
  const std::vector<Place> places = l.taps == 1 ? std::vector<Place>() : places_of(p, l);
  const size_t per_tap = places.size() / static_cast<size_t>(taps);
  int tap_weights[kMostUnit];
  Largest largest;
  for (int block = 0; block < p.tiles.blocks; ++block) {
    Unit packed;
    for (int i = 0; i < unit; ++i) {
      packed.channel[lane_of_channel(l, i)] = channel_of(s, p.tiles, unit, block, i);
    }
    for (int tap = 0; tap < taps; ++tap) {
      packed.take(weights + static_cast<size_t>(tap) * s.outputs, tap_weights, unit);
      if (l.taps == 1) {
        put_plain(p, words, (static_cast<size_t>(block) * taps + tap) * unit, tap_weights, unit);
      }
      for (size_t i = tap * per_tap; i < (tap + 1) * per_tap; ++i) {
        put_tap(places[i], l.taps, words + block * per_channel * unit, tap_weights, unit);
      }
    }
    put_sums(packed, unit, offset, bias, scale, sums + block * unit, scales + block * unit,
             largest);
  }
  p.small = std::max(largest.sum, largest.output) < 1 << 22;
  p.words = largest.output < (1 << 15) - (1 << 8);
  return memory;
}

// Weights [tap][channels] with channels padded to whole vectors, then the bias likewise.
static AlignedBytes pad_f32(DepthwiseF32Params& p, DepthwiseLanes l, const float* weights,
                            const float* bias) {
  const size_t channels = static_cast<size_t>(p.shape.outputs);
  const size_t taps = static_cast<size_t>(p.shape.kernel_h) * p.shape.kernel_w;
  const size_t lanes = static_cast<size_t>(l.lanes);
  const size_t padded = (channels + lanes - 1) / lanes * lanes;
  AlignedBytes memory = allocate_aligned(padded * (taps + 1) * sizeof(float));
  float* arranged = static_cast<float*>(memory.get());
  p.weights = arranged, p.bias = arranged + padded * taps;
  p.weight_step = static_cast<ptrdiff_t>(padded);
  for (size_t tap = 0; tap < taps; ++tap) {
    std::copy_n(weights + tap * channels, channels, arranged + tap * padded);
  }
  std::copy_n(bias, channels, arranged + padded * taps);
  return memory;
}

AlignedBytes pack_f32(DepthwiseF32Params& p, DepthwiseLanes l, const float* weights,
                      const float* bias) {
  const DepthwiseShape& s = p.shape;
  if (s.multiplier == 1) return pad_f32(p, l, weights, bias);
  const int unit = 4 * l.lanes, taps = s.kernel_h * s.kernel_w;
  const size_t channels = static_cast<size_t>(p.tiles.blocks) * unit;
  AlignedBytes memory = allocate_aligned(channels * static_cast<size_t>(taps + 1) * sizeof(float));
  float* arranged = static_cast<float*>(memory.get());
  float* sums = arranged + channels * taps;
  p.weights = arranged, p.bias = sums;
  for (int i = 0; i < static_cast<int>(channels); ++i) {
    const int block = i / unit, channel = channel_of(s, p.tiles, unit, block, i % unit);
    for (int tap = 0; tap < taps; ++tap) {
      arranged[(static_cast<size_t>(block) * taps + tap) * unit + i % unit] =
          weights[static_cast<size_t>(tap) * s.outputs + channel];
    }
    sums[i] = bias[channel];
  }
  return memory;
}

}  // namespace linnet
