// Depthwise convolution, arithmetic, tables and softmax of int16 numbers, of one ISA.
#include "int16/depthwise.h"
#include "int16/elements.h"

namespace linnet {
namespace LINNET_ISA {

void depthwise_s16(const DepthwiseS16Params& p, const Worker& worker) noexcept {
  depthwise_rows(p, worker);
}

void binary_s16(const BinaryS16Params& p, const Worker& worker) noexcept { binary_runs(p, worker); }

void table_s16(const TableS16Params& p, const Worker& worker) noexcept {
  if (p.x_size == 1) return look_up<uint8_t, uint16_t>(p, worker);
  if (p.y_size == 1) return look_up<uint16_t, uint8_t>(p, worker);
  look_up<uint16_t, uint16_t>(p, worker);
}

void softmax_s16(const SoftmaxS16Params& p, const Worker& worker) noexcept {
  const Span rows = split(p.rows, worker);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    softmax_row(p, p.x + row * p.length, p.y + row * p.length);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
