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
  for (int64_t i = span.begin; i < span.end; ++i) p.y[i] = static_cast<uint8_t>(p.x[i] ^ 0x80);
}

void quantize_f32(const QuantizeParams& p, const Worker& worker) noexcept {
  for_channels(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n, bool moves) {
    const QuantizeRun run{p.layout.scale + channel, p.layout.zero + channel, moves, splat_i(p.low),
                          splat_i(p.high)};
    if (p.low == 0) {
      quantize_run<true>(p.x + at, p.y + at, n, run);
    } else {
      quantize_run<false>(p.x + at, p.y + at, n, run);
    }
  });
}

void dequantize_8(const DequantizeParams& p, const Worker& worker) noexcept {
  for_channels(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n, bool moves) {
    const float* scale = p.layout.scale + channel;
    const int32_t* zero = p.layout.zero + channel;
    if (p.is_unsigned) {
      dequantize_run<true>(p.x + at, p.y + at, n, scale, zero, moves);
    } else {
      dequantize_run<false>(p.x + at, p.y + at, n, scale, zero, moves);
    }
  });
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
