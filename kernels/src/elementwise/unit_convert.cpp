// Kernels that change the representation of numbers.
#include "elementwise/convert.h"
#include "elementwise/table.h"

namespace linnet {
namespace LINNET_ISA {

void table_u8(const TableParams& p, const Worker& worker) noexcept {
  const Span span = split(p.count, worker, 64);
  look_up(p.x + span.begin, p.y + span.begin, p.table, span.end - span.begin);
}

void flip_u8(const FlipParams& p, const Worker& worker) noexcept {
  const Span span = split(p.count, worker, 64);
  const uint8_t* x = p.x;
  uint8_t* y = p.y;
#pragma GCC ivdep
  for (int64_t i = span.begin; i < span.end; ++i) y[i] = static_cast<uint8_t>(x[i] ^ 0x80);
}

void quantize_f32(const QuantizeParams& p, const Worker& worker) noexcept {
  switch (p.type) {
    case StoredType::int8:
      return quantize_all<int8_t>(p, worker);
    case StoredType::uint8:
      return quantize_all<uint8_t>(p, worker);
    case StoredType::int16:
      return quantize_all<int16_t>(p, worker);
  }
}

void dequantize(const DequantizeParams& p, const Worker& worker) noexcept {
  switch (p.type) {
    case StoredType::int8:
      return dequantize_all<int8_t>(p, worker);
    case StoredType::uint8:
      return dequantize_all<uint8_t>(p, worker);
    case StoredType::int16:
      return dequantize_all<int16_t>(p, worker);
  }
}

void cast(const CastParams& p, const Worker& worker) noexcept {
  switch (p.from) {
#define LINNET_CASE(name, type) \
  case NumberType::name##_:     \
    return cast_from<type>(p, worker);
    LINNET_NUMBER_TYPES(LINNET_CASE)
#undef LINNET_CASE
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
