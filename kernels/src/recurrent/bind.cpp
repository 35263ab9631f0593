// Python registration of the recurrent kernels.
#include <algorithm>
#include <array>

#include "core/methods.h"
#include "int8/cost.h"
#include "recurrent/params.h"

namespace linnet {
namespace {

// Nanoseconds per unit and step for what is not multiplied by tiles: gates, tables, the cell.
constexpr double kPerUnit = 20.0;

using Scales = std::array<std::array<int32_t, 2>, 9>;

int lstm_s8(Program& program, const std::array<uintptr_t, 3>& given,
            const std::array<uintptr_t, 3>& made, const std::array<uintptr_t, 4>& packed,
            const std::array<uintptr_t, 3>& tables, const Scales& scales,
            const std::array<int32_t, 3>& cell, const std::array<int64_t, 4>& sizes, bool coupled,
            bool time_major) {
  const LayoutS8 layout = word_layout_of(program);
  LstmS8Params p{};
  p.x = at<const int8_t>(given[0]);
  p.h_before = at<const int8_t>(given[1]);
  p.c_before = at<const int16_t>(given[2]);
  p.y = at<int8_t>(made[0]);
  p.h = at<int8_t>(made[1]);
  p.c = at<int16_t>(made[2]);
  p.input_weights = at<const int8_t>(packed[0]);
  p.input_bias = at<const int32_t>(packed[1]);
  p.recurrent_weights = at<const int8_t>(packed[2]);
  p.recurrent_bias = at<const int32_t>(packed[3]);
  p.sigmoid = at<const int16_t>(tables[0]);
  p.tanh = at<const int16_t>(tables[1]);
  p.cell_tanh = at<const int16_t>(tables[2]);
  for (size_t gate = 0; gate < 4; ++gate) {
    p.input[gate] = {scales[gate][0], scales[gate][1]};
    p.recurrent[gate] = {scales[4 + gate][0], scales[4 + gate][1]};
  }
  p.hidden = {scales[8][0], scales[8][1]};
  p.hidden_zero = cell[0], p.added = cell[1], p.clip = cell[2];
  p.coupled = coupled, p.time_major = time_major;
  p.batch = sizes[0], p.time = sizes[1], p.depth = sizes[2], p.units = sizes[3];
  const int64_t wide = 4 * padded(p.units, kPanel);
  const double steps = static_cast<double>(p.batch) * static_cast<double>(p.time);
  const double macs = steps * static_cast<double>(wide * (p.depth + p.units));
  const int64_t scratch = offset_bytes(lane_steps(1, p.depth, layout)) +
                          offset_bytes(lane_steps(1, p.units, layout)) +
                          row_bytes(p.depth, layout) + row_bytes(p.units, layout) + 8 * wide +
                          8 * p.units + 256 + 7 * 64;
  return program.add(
      Kernel::lstm_s8, p,
      Cost{2 * macs / rate_of(program) + steps * kPerUnit * p.units, static_cast<size_t>(scratch)});
}

// Bytes of one thread's `CellScratch`.
int64_t cell_bytes(int64_t wide, int64_t deep, const LayoutS8& layout) {
  return 8 * wide + deep + row_bytes(deep, layout) + 256 +
         offset_bytes(lane_steps(1, deep, layout)) + 5 * 64;
}

int lstm_f32(Program& program, const std::array<uintptr_t, 3>& given,
             const std::array<uintptr_t, 3>& made, const std::array<uintptr_t, 9>& packed,
             float clip, const std::array<int64_t, 4>& sizes, const std::array<bool, 4>& flags) {
  const LayoutS8 layout = word_layout_of(program);
  LstmF32Params p{};
  p.x = at<const float>(given[0]);
  p.h_before = at<const float>(given[1]);
  p.c_before = at<const float>(given[2]);
  p.y = at<float>(made[0]);
  p.h = at<float>(made[1]);
  p.c = at<float>(made[2]);
  p.input_weights = at<const void>(packed[0]);
  p.recurrent_weights = at<const void>(packed[1]);
  p.input_scale = at<const float>(packed[2]);
  p.recurrent_scale = at<const float>(packed[3]);
  p.input_sums = at<const int32_t>(packed[4]);
  p.recurrent_sums = at<const int32_t>(packed[5]);
  p.bias = at<const float>(packed[6]);
  p.peepholes = at<const float>(packed[7]);
  p.nothing = at<const int32_t>(packed[8]);
  p.clip = clip;
  p.asymmetric = flags[0], p.coupled = flags[1], p.time_major = flags[2], p.reverse = flags[3];
  p.batch = sizes[0], p.time = sizes[1], p.depth = sizes[2], p.units = sizes[3];
  const int64_t wide = 4 * padded(p.units, kPanel);
  const int64_t deep = std::max(p.depth, p.units);
  const double steps = static_cast<double>(p.batch) * static_cast<double>(p.time);
  const double macs = steps * static_cast<double>(wide * (p.depth + p.units));
  const int64_t scratch = cell_bytes(wide, deep, layout);
  return program.add(
      Kernel::lstm_f32, p,
      Cost{8 * macs / rate_of(program) + steps * kPerUnit * p.units, static_cast<size_t>(scratch)});
}

template <typename Params>
Cost svdf_cost(const Program& program, const Params& p, double per_feature) {
  const int64_t wide = padded(p.filters, kPanel);
  const double rows = static_cast<double>(p.batch);
  const double features = rows * static_cast<double>(wide * p.depth);
  const double memory = rows * static_cast<double>(p.memory * p.filters);
  return Cost{per_feature * features / rate_of(program) + 0.5 * memory,
              static_cast<size_t>(cell_bytes(wide, p.depth, word_layout_of(program)))};
}

int svdf_f32(Program& program, const std::array<uintptr_t, 4>& tensors,
             const std::array<uintptr_t, 6>& packed, const std::array<float, 2>& bounds,
             const std::array<int64_t, 5>& sizes, const std::array<bool, 2>& flags) {
  SvdfF32Params p{};
  p.x = at<const float>(tensors[0]);
  p.before = at<const float>(tensors[1]);
  p.y = at<float>(tensors[2]);
  p.after = at<float>(tensors[3]);
  p.weights = at<const void>(packed[0]);
  p.scale = at<const float>(packed[1]);
  p.column_sums = at<const int32_t>(packed[2]);
  p.nothing = at<const int32_t>(packed[3]);
  p.time = at<const float>(packed[4]);
  p.bias = at<const float>(packed[5]);
  p.low = bounds[0], p.high = bounds[1];
  p.batch = sizes[0], p.depth = sizes[1], p.filters = sizes[2], p.memory = sizes[3];
  p.rank = sizes[4];
  p.asymmetric = flags[0], p.tanh = flags[1];
  return program.add(Kernel::svdf_f32, p, svdf_cost(program, p, 8.0));
}

int svdf_s8(Program& program, const std::array<uintptr_t, 4>& tensors,
            const std::array<uintptr_t, 4>& packed, const std::array<int32_t, 5>& scales,
            const std::array<int64_t, 5>& sizes) {
  SvdfS8Params p{};
  p.x = at<const int8_t>(tensors[0]);
  p.before = at<const int16_t>(tensors[1]);
  p.y = at<int8_t>(tensors[2]);
  p.after = at<int16_t>(tensors[3]);
  p.weights = at<const int8_t>(packed[0]);
  p.feature_bias = at<const int32_t>(packed[1]);
  p.time = at<const int16_t>(packed[2]);
  p.bias = at<const int32_t>(packed[3]);
  p.feature = {scales[0], scales[1]};
  p.result = {scales[2], scales[3]};
  p.zero = scales[4];
  p.batch = sizes[0], p.depth = sizes[1], p.filters = sizes[2], p.memory = sizes[3];
  p.rank = sizes[4];
  return program.add(Kernel::svdf_s8, p, svdf_cost(program, p, 2.0));
}

WalkF32Params walk_params(const std::array<uintptr_t, 4>& given,
                          const std::array<uintptr_t, 3>& made,
                          const std::array<uintptr_t, 3>& packed, float clip, int32_t kind,
                          const std::array<int64_t, 3>& sizes, const std::array<bool, 3>& flags) {
  WalkF32Params p{};
  p.x = at<const float>(given[0]);
  p.h_before = at<const float>(given[1]);
  p.c_before = at<const float>(given[2]);
  p.lengths = at<const int32_t>(given[3]);
  p.y = at<float>(made[0]);
  p.h = at<float>(made[1]);
  p.c = at<float>(made[2]);
  p.weights = at<const float>(packed[0]);
  p.bias = at<const float>(packed[1]);
  p.peepholes = at<const float>(packed[2]);
  p.clip = clip, p.kind = kind;
  p.backward = flags[0], p.coupled = flags[1], p.reset_after = flags[2];
  p.steps = sizes[0], p.batch = sizes[1], p.units = sizes[2];
  return p;
}

// What `rows` steps of single sequences cost.
Cost walk_cost(const Program& program, const WalkF32Params& p, double rows) {
  const int64_t gates = p.kind == kWalkLstm ? 4 : p.kind == kWalkGru ? 3 : 1;
  const int64_t wide = gates * padded(p.units, kPanel);
  const double macs = rows * static_cast<double>(wide * p.units);
  return {8 * macs / rate_of(program) + rows * kPerUnit * p.units,
          sizeof(float) * static_cast<size_t>(wide + padded(p.units, kPanel))};
}

int walk_f32(Program& program, const std::array<uintptr_t, 4>& given,
             const std::array<uintptr_t, 3>& made, const std::array<uintptr_t, 3>& packed,
             float clip, int32_t kind, const std::array<int64_t, 3>& sizes,
             const std::array<bool, 3>& flags) {
  const WalkF32Params p = walk_params(given, made, packed, clip, kind, sizes, flags);
  const double rows = static_cast<double>(p.steps) * static_cast<double>(p.batch);
  return program.add(Kernel::walk_f32, p, walk_cost(program, p, rows));
}

int walk_step_f32(Program& program, const std::array<uintptr_t, 4>& given,
                  const std::array<uintptr_t, 3>& made, const std::array<uintptr_t, 3>& packed,
                  float clip, int32_t kind, const std::array<int64_t, 3>& sizes,
                  const std::array<bool, 3>& flags, uintptr_t done) {
  const WalkF32Params p = walk_params(given, made, packed, clip, kind, sizes, flags);
  return program.add(Kernel::walk_step_f32, WalkStepF32Params{p, at<const int64_t>(done)},
                     walk_cost(program, p, 1.0));
}

}  // namespace

void bind_recurrent(Methods& program) {
  program.def("svdf_f32", svdf_f32, {"tensors", "packed", "bounds", "sizes", "flags"},
              "Add a decomposed filter; tensors = (x, memory, y, memory after), packed = (weights, "
              "their scales, their sums, zeros, weights of time, biases), bounds = (low, high), "
              "sizes = (batch, inputs, filters, memory, rank), flags = (asymmetric, tanh).");
  program.def("svdf_s8", svdf_s8, {"tensors", "packed", "scales", "sizes"},
              "Add a decomposed filter of int8; packed = (weights, their biases, weights of time, "
              "biases), scales = (integer, shift) of features and of results, then the zero "
              "point.");
  program.def(
      "lstm_f32", lstm_f32, {"given", "made", "packed", "clip", "sizes", "flags"},
      "Add an LSTM; given = (x, h, c), made = (y, h, c), packed = (input weights, recurrent "
      "ones, their scales, their sums, biases, peepholes, zeros), sizes = (batch, time, "
      "inputs, units), flags = (asymmetric, coupled, time_major, reverse).");
  program.def("walk_f32", walk_f32, {"given", "made", "packed", "clip", "kind", "sizes", "flags"},
              "Add a layer over multiplied inputs; given = (x, h, c, lengths), made = (y, h, c), "
              "packed = (weights, bias, peepholes), kind = 0 plain, 1 GRU, 2 LSTM, sizes = "
              "(steps, batch, units), flags = (backward, coupled, reset_after).");
  program.def("walk_step_f32", walk_step_f32,
              {"given", "made", "packed", "clip", "kind", "sizes", "flags", "done"},
              "Add one step of such a layer, the one after *done others, for a batch of 1.");
  program.def(
      "lstm_s8", lstm_s8,
      {"given", "made", "packed", "tables", "scales", "cell", "sizes", "coupled", "time_major"},
      "Add an LSTM; given = (x, h, c), made = (y, h, c), packed = (input weights, their "
      "biases, recurrent weights, theirs), tables = (sigmoid, tanh, tanh of the cell), "
      "scales = (integer, shift) of four inputs, four recurrences and hidden, cell = "
      "(zero of hidden, shift of what is added, clip), sizes = (batch, time, inputs, "
      "units).");
}

}  // namespace linnet
