// The inner loops that the depthwise kernels share: units of one block of channels, a few at a
// time, summed over a list of prepared rows.
#pragma once

#include "depthwise/tiling.h"

namespace linnet {
namespace LINNET_ISA {

// What one row of outputs reads: one place in the prepared rows per unit of weights, in their
// order.
template <class T>
struct DwSources {
  const T** places;
  int count;
};

// Where the outputs of one block go.
template <class T>
struct DwOut {
  T* y;
  ptrdiff_t step;  // values from one unit of the block to its next
  ptrdiff_t room;  // values that may be written from y on
};

// kCount units of one block, `step` values apart, from value `at` of every source on. A Kernel
// names Params, Value (stored), Prepared and Sum, and defines load, fold(sum, taps, weights) and
// store(params, sums of a unit, block, y, room), which never writes more than `room` values.
template <class Kernel, int kCount>
static void dw_units(const typename Kernel::Params& p,
                     const DwSources<typename Kernel::Prepared>& in, ptrdiff_t at, ptrdiff_t step,
                     int block, DwOut<typename Kernel::Value> out) {
  const auto* w = p.weights + (ptrdiff_t)block * in.count * kUnit;
  typename Kernel::Sum sum[kCount][4];
  for (int j = 0; j < 4; ++j) {
    const auto start = Kernel::load(p.bias + (ptrdiff_t)block * kUnit + j * kLanes);
    for (int x = 0; x < kCount; ++x) sum[x][j] = start;
  }
  for (int k = 0; k < in.count; ++k, w += kUnit) {
    const auto* taps = in.places[k] + at;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const auto weight = Kernel::load(w + j * kLanes);
#pragma GCC unroll 8
      for (int x = 0; x < kCount; ++x) {
        sum[x][j] = Kernel::fold(sum[x][j], Kernel::load(taps + x * step + j * kLanes), weight);
      }
    }
  }
#pragma GCC unroll 8
  for (int x = 0; x < kCount; ++x) {
    Kernel::store(p, sum[x], block, out.y + x * out.step, out.room - x * out.step);
  }
}

// Sixteen sums and a weight fit 32 registers, twelve fit 16.
constexpr int kUnitsAtOnce = kLanes == 16 ? 4 : 3;

// Units `first`, `first` + cycle ... of a task's `units` in one output row, `unit_step` values
// apart.
template <class Kernel>
static void dw_block(const typename Kernel::Params& p,
                     const DwSources<typename Kernel::Prepared>& in, ptrdiff_t unit_step, int first,
                     int units, int block, DwOut<typename Kernel::Value> out) {
  const ptrdiff_t step = p.tiles.cycle * unit_step;
  int count = (units - first + p.tiles.cycle - 1) / p.tiles.cycle;
  ptrdiff_t at = (ptrdiff_t)first * kUnit;
  for (; count >= kUnitsAtOnce; count -= kUnitsAtOnce) {
    dw_units<Kernel, kUnitsAtOnce>(p, in, at, step, block, out);
    at += kUnitsAtOnce * step;
    out.y += kUnitsAtOnce * out.step;
    out.room -= kUnitsAtOnce * out.step;
  }
  if (kUnitsAtOnce > 3 && count == 3) dw_units<Kernel, 3>(p, in, at, step, block, out);
  if (count == 2) dw_units<Kernel, 2>(p, in, at, step, block, out);
  if (count == 1) dw_units<Kernel, 1>(p, in, at, step, block, out);
}

// All blocks of a task in the output row `y`.
template <class Kernel>
static void dw_blocks(const typename Kernel::Params& p,
                      const DwSources<typename Kernel::Prepared>& in, ptrdiff_t unit_step,
                      const DwTask& t, typename Kernel::Value* y) {
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t row = (ptrdiff_t)s.out_width * s.outputs;
  const ptrdiff_t start = (ptrdiff_t)t.pixel * s.outputs + t.channel;
  if (!p.tiles.flat) {
    dw_block<Kernel>(p, in, unit_step, 0, t.units, t.block, {y + start, s.outputs, row - start});
    return;
  }
  const ptrdiff_t step = (ptrdiff_t)p.tiles.cycle * kUnit;
  for (int b = 0; b < p.tiles.cycle && b < t.units; ++b) {
    const ptrdiff_t place = start + (ptrdiff_t)b * kUnit;
    dw_block<Kernel>(p, in, unit_step, b, t.units, b, {y + place, step, row - place});
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
