#include "int8/pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace linnet {
namespace {

constexpr double kInt32 = 2147483648.0;
// So many weights add up within int32.
constexpr int64_t kPart = 1 << 20;
constexpr int kPackedLane = 4;

int64_t depth_of(const PlainS8& p) { return p.segments * p.segment; }

const int8_t* row_of(const PlainS8& p, int64_t output) { return p.weights + output * depth_of(p); }

bool has_zeros(const PlainS8& p) {
  return std::any_of(p.weight_zeros.values, p.weight_zeros.values + p.weight_zeros.count,
                     [](int32_t zero) { return zero != 0; });
}

// What of a weight the pieces before `piece` leave to it; the pieces add up to the weight.
int32_t piece_of(int32_t weight, int piece) {
  for (; piece > 0; --piece) weight -= std::clamp(weight, -128, 127);
  return std::clamp(weight, -128, 127);
}

// One panel's lanes' worth of k: 16 outputs, `count` of which there are, `size` numbers each.
template <int kGroup>
void put_step(const int8_t* first, int64_t depth, int64_t count, int64_t size, int8_t* to) {
  for (int64_t lane = 0; lane < count; ++lane) {
    const int8_t* from = first + lane * depth;
    if (size == kGroup) {
      std::memcpy(to + lane * kGroup, from, kGroup);
    } else {
      std::memcpy(to + lane * kGroup, from, static_cast<size_t>(size));
    }
  }
}

// Weights as they are.
template <int kGroup>
void put_rows(const PlainS8& p, int64_t first, int64_t count, int8_t* to) {
  for (int64_t s = 0; s < p.segments; ++s) {
    for (int64_t k = 0; k < p.segment; k += kGroup, to += kPanel * kGroup) {
      const int64_t size = std::min<int64_t>(p.segment - k, kGroup);
      if (count < kPanel || size < kGroup) std::memset(to, 0, kPanel * kGroup);
      put_step<kGroup>(row_of(p, first) + s * p.segment + k, depth_of(p), count, size, to);
    }
  }
}

// A piece of the weights less their zero points, for one lanes' worth of k of 16 outputs.
void put_piece(const PlainS8& p, const LayoutS8& layout, int64_t first, int64_t count, int64_t step,
               int piece, int8_t* to) {
  const int64_t per_segment = padded(p.segment, layout.group) / layout.group;
  const int64_t k = step % per_segment * layout.group;
  const int64_t at = step / per_segment * p.segment + k;
  const int64_t size = std::min<int64_t>(p.segment - k, layout.group);
  std::memset(to, 0, static_cast<size_t>(kPanel * layout.group));
  for (int64_t lane = 0; lane < count; ++lane) {
    const int8_t* from = row_of(p, first + lane) + at;
    const int32_t zero = p.weight_zeros[static_cast<size_t>(first + lane)];
    for (int64_t i = 0; i < size; ++i) {
      to[lane * layout.group + i] = static_cast<int8_t>(piece_of(from[i] - zero, piece));
    }
  }
}

void put_panel(const PlainS8& p, const LayoutS8& layout, const std::vector<int64_t>& more,
               bool as_they_are, int64_t first, int64_t count, int8_t* to) {
  if (as_they_are && layout.group == 2) return put_rows<2>(p, first, count, to);
  if (as_they_are && layout.group == 4) return put_rows<4>(p, first, count, to);
  if (as_they_are && layout.group == 8) return put_rows<8>(p, first, count, to);
  if (as_they_are && layout.group == 16) return put_rows<16>(p, first, count, to);
  const int64_t steps = lane_steps(p.segments, p.segment, layout), bytes = kPanel * layout.group;
  for (int64_t step = 0; step < steps; ++step, to += bytes) {
    put_piece(p, layout, first, count, step, 0, to);
  }
  int piece = 1;
  for (size_t i = 0; i < more.size(); ++i, to += bytes) {
    // Each round of continued lanes is in order.
    if (i > 0 && more[i] <= more[i - 1]) ++piece;
    put_piece(p, layout, first, count, more[i], piece, to);
  }
}

// Sums of an output's weights less their zero points, and of their magnitudes.
struct Sums {
  int64_t plain, magnitudes;
};

Sums packed_sums(const PlainS8& p, int64_t output) {
  const int64_t steps = depth_of(p) / kPackedLane;
  const int8_t* lane =
      p.weights + (output / kPanel * steps * kPanel + output % kPanel) * kPackedLane;
  Sums sums{0, 0};
  for (int64_t step = 0; step < steps; ++step, lane += kPanel * kPackedLane) {
    for (int i = 0; i < kPackedLane; ++i) {
      sums.plain += lane[i];
      sums.magnitudes += std::abs(lane[i]);
    }
  }
  return sums;
}

Sums sums_of(const PlainS8& p, int64_t output) {
  if (p.packed) return packed_sums(p, output);
  const int8_t* row = row_of(p, output);
  const int32_t zero = p.weight_zeros[static_cast<size_t>(output)];
  Sums sums{0, 0};
  for (int64_t k = 0, depth = depth_of(p); k < depth;) {
    int32_t plain = 0, magnitudes = 0;
    for (const int64_t end = std::min(k + kPart, depth); k < end; ++k) {
      const int32_t weight = row[k] - zero;
      plain += weight;
      magnitudes += std::abs(weight);
    }
    sums.plain += plain;
    sums.magnitudes += magnitudes;
  }
  return sums;
}

// Sums of 16 outputs' weights: all of a packed panel is read in order.
void panel_sums(const PlainS8& p, int64_t first, int64_t count, int64_t* sums) {
  if (!p.packed) {
    for (int64_t i = 0; i < count; ++i) sums[i] = sums_of(p, first + i).plain;
    return;
  }
  constexpr int kStep = kPanel * kPackedLane;
  const int64_t steps = depth_of(p) / kPackedLane;
  const int8_t* from = p.weights + first * depth_of(p);
  std::fill_n(sums, count, 0);
  for (int64_t step = 0; step < steps;) {
    int32_t totals[kStep] = {};
    for (const int64_t end = std::min(step + kPart, steps); step < end; ++step, from += kStep) {
      for (int i = 0; i < kStep; ++i) totals[i] += from[i];
    }
    for (int64_t i = 0; i < count * kPackedLane; ++i) sums[i / kPackedLane] += totals[i];
  }
}

}  // namespace

std::vector<int64_t> continued_lanes(const PlainS8& p, const LayoutS8& layout) {
  std::vector<int64_t> more;
  if (!has_zeros(p)) return more;
  const int64_t per_segment = padded(p.segment, layout.group) / layout.group;
  const size_t steps = static_cast<size_t>(lane_steps(p.segments, p.segment, layout));
  for (int piece = 1; piece <= 2; ++piece) {
    std::vector<bool> goes_on(steps, false);
    const int32_t least = -128 * piece, most = 127 * piece;
    for (int64_t o = 0; o < p.outputs; ++o) {
      const int8_t* row = row_of(p, o);
      const int32_t zero = p.weight_zeros[static_cast<size_t>(o)];
      for (int64_t k = 0, depth = depth_of(p); k < depth; ++k) {
        const int32_t weight = row[k] - zero;
        if (weight >= least && weight <= most) continue;
        const int64_t step = k / p.segment * per_segment + k % p.segment / layout.group;
        goes_on[static_cast<size_t>(step)] = true;
      }
    }
    for (size_t step = 0; step < steps; ++step) {
      if (goes_on[step]) more.push_back(static_cast<int64_t>(step));
    }
  }
  return more;
}

bool sums_fit(const PlainS8& p) {
  const double farthest = std::max(p.zero + 128, 127 - p.zero);
  for (int64_t o = 0; o < p.outputs; ++o) {
    const double start = p.bias == nullptr ? 0 : std::abs(static_cast<double>(p.bias[o]));
    const double most = std::max(static_cast<double>(p.scales[static_cast<size_t>(o)]), 1.0);
    if ((static_cast<double>(depth_of(p)) * 255 * farthest + start) * most < kInt32) continue;
    const double sizes = static_cast<double>(sums_of(p, o).magnitudes);
    if (!((sizes * farthest + start) * most < kInt32)) return false;
  }
  return true;
}

void pack_s8(const PlainS8& p, const LayoutS8& layout, const std::vector<int64_t>& more,
             const PackedS8& to) {
  const int64_t per_group = p.outputs / p.groups, count = padded(per_group, kPanel);
  const int64_t steps = lane_steps(p.segments, p.segment, layout);
  const int64_t bytes = (steps + static_cast<int64_t>(more.size())) * layout.group * kPanel;
  const bool as_they_are = to.weight_zeros != nullptr || !has_zeros(p);
  std::fill_n(to.bias, p.groups * count, 0);
  std::fill_n(to.scales, p.groups * count, 0.0f);
  if (to.weight_zeros != nullptr) std::fill_n(to.weight_zeros, p.groups * count, 0);
  for (int64_t at = 0; at < p.groups * count; at += kPanel) {
    const int64_t first = at / count * per_group + at % count;
    const int64_t there = std::min<int64_t>(per_group - at % count, kPanel);
    int64_t sums[kPanel];
    panel_sums(p, first, there, sums);
    for (int64_t i = 0; i < there; ++i) {
      const int64_t start = p.bias == nullptr ? 0 : p.bias[first + i];
      const auto output = static_cast<size_t>(first + i);
      to.bias[at + i] = static_cast<int32_t>(start - sums[i] * (p.zero + layout.shift));
      to.scales[at + i] = p.scales[output];
      if (to.weight_zeros != nullptr) to.weight_zeros[at + i] = p.weight_zeros[output];
    }
    if (!p.packed)
      put_panel(p, layout, more, as_they_are, first, there, to.panels + at / kPanel * bytes);
  }
}

}  // namespace linnet
