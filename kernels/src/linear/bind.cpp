// Python registration of the linear kernels.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "core/methods.h"
#include "int8/cost.h"
#include "linear/params.h"

namespace linnet {
namespace {

// `parts` are the addresses and columns of the outputs, `sizes` (rows, depth).
int dynamic_linear(Program& program, uintptr_t x, uintptr_t range, uintptr_t weights,
                   uintptr_t scale, uintptr_t bias, uintptr_t column_sums, uintptr_t weight_zero,
                   uintptr_t residual, const std::vector<std::pair<uintptr_t, int64_t>>& parts,
                   const std::array<int64_t, 2>& sizes, int activation) {
  const LayoutS8 layout = word_layout_of(program);
  DynamicLinearParams p{};
  p.x = at<const float>(x);
  p.range = at<const float>(range);
  p.weights = at<const int8_t>(weights);
  p.scale = at<const float>(scale);
  p.bias = at<const float>(bias);
  p.column_sums = at<const int32_t>(column_sums);
  p.weight_zero = at<const int32_t>(weight_zero);
  p.residual = at<const float>(residual);
  p.rows = sizes[0], p.depth = sizes[1];
  p.activation = static_cast<Activation>(activation);
  if (parts.size() > kMaxParts) throw std::invalid_argument("too many outputs");
  int64_t packed = 0, columns = 0;
  for (const auto& [address, width] : parts) {
    p.parts[p.part_count++] = {at<float>(address), width};
    packed += padded(width, kPanel) / kPanel * panel_bytes(1, p.depth, layout);
    columns += width;
  }
  p.block = block_rows(p.rows, p.depth, budget_for(packed, false), layout);
  const double macs = static_cast<double>(p.rows) * static_cast<double>(packed);
  const double rest = static_cast<double>(p.rows) * static_cast<double>(p.depth + columns);
  const int64_t scratch = offset_bytes(lane_steps(1, p.depth, layout)) + kSlack +
                          row_bytes(p.depth, layout) * (p.block + 6);
  return program.add(Kernel::dynamic_linear, p,
                     Cost{macs / rate_of(program) + 0.2 * rest, static_cast<size_t>(scratch)});
}

int range_f32(Program& program, uintptr_t x, uintptr_t out, int64_t count) {
  return program.add(Kernel::range_f32, RangeParams{at<const float>(x), at<float>(out), count},
                     Cost{0, 0});
}

int embedding_s8(Program& program, uintptr_t table, uintptr_t scale, uintptr_t zero,
                 uintptr_t indices, uintptr_t y, const std::array<int64_t, 3>& sizes, bool per_row,
                 bool wide) {
  EmbeddingParams p{};
  p.table = at<const int8_t>(table);
  p.scale = at<const float>(scale);
  p.zero = at<const int32_t>(zero);
  p.indices = at<const void>(indices);
  p.y = at<float>(y);
  p.rows = sizes[0], p.width = sizes[1], p.count = sizes[2];
  p.per_row = per_row;
  p.wide = wide;
  return program.add(Kernel::embedding_s8, p,
                     Cost{0.2 * static_cast<double>(p.count * p.width), 0});
}

// `sizes` is (rows, depth, columns, group, bits); `whole`: rows are not rounded to int8.
int block_linear(Program& program, uintptr_t x, uintptr_t weights, uintptr_t scale, uintptr_t zero,
                 uintptr_t bias, uintptr_t y, const std::array<int64_t, 5>& sizes, bool whole) {
  BlockLinearParams p{};
  p.x = at<const float>(x);
  p.weights = at<const uint8_t>(weights);
  p.scale = at<const float>(scale);
  p.zero = at<const uint8_t>(zero);
  p.bias = at<const float>(bias);
  p.y = at<float>(y);
  p.rows = sizes[0], p.depth = sizes[1], p.columns = sizes[2], p.group = sizes[3];
  p.bits = static_cast<int32_t>(sizes[4]);
  p.whole = whole;
  p.padded_depth = padded(p.depth, p.group);
  const double macs = static_cast<double>(p.rows) * static_cast<double>(p.padded_depth) *
                      static_cast<double>(p.columns);
  return program.add(
      Kernel::block_linear, p,
      Cost{(whole ? 6.0 : 2.0) * macs / rate_of(program), static_cast<size_t>(block_scratch(p))});
}

// `sizes` is (rows, heads, length, depth, half, positions).
int rotary_f32(Program& program, uintptr_t x, uintptr_t cos, uintptr_t sin, uintptr_t start,
               uintptr_t y, const std::array<int64_t, 6>& sizes, int64_t starts, bool interleaved,
               bool heads_last) {
  RotaryParams p{};
  p.x = at<const float>(x);
  p.cos = at<const float>(cos);
  p.sin = at<const float>(sin);
  p.start = at<const int64_t>(start);
  p.y = at<float>(y);
  p.rows = sizes[0], p.heads = sizes[1], p.length = sizes[2], p.depth = sizes[3];
  p.half = sizes[4], p.positions = sizes[5];
  p.starts = starts;
  p.interleaved = interleaved;
  p.heads_last = heads_last;
  return program.add(Kernel::rotary_f32, p, Cost{static_cast<double>(p.rows * p.depth), 0});
}

}  // namespace

void bind_linear(Methods& program) {
  program
      .def("dynamic_linear", dynamic_linear,
           {"x", "range", "weights", "scale", "bias", "column_sums", "weight_zero", "residual",
            "parts", "sizes", "activation"},
           "Add a linear layer on rows quantized as they come; parts = (address, columns) of each "
           "output, sizes = (rows, depth).")
      .def("range_f32", range_f32, {"x", "out", "count"})
      .def("block_linear", block_linear,
           {"x", "weights", "scale", "zero", "bias", "y", "sizes", "whole"},
           "Add a layer of weights in groups; sizes = (rows, depth, columns, group, bits).")
      .def("rotary_f32", rotary_f32,
           {"x", "cos", "sin", "start", "y", "sizes", "starts", "interleaved", "heads_last"},
           "sizes = (rows, heads, length, depth, half, positions).")
      .def("embedding_s8", embedding_s8,
           {"table", "scale", "zero", "indices", "y", "sizes", "per_row", "wide"},
           "sizes = (rows of the table, width, indices).");
}

}  // namespace linnet
