// Elementwise arithmetic, tables and softmax of int16 numbers.
#pragma once

#include "elementwise/broadcast.h"
#include "int16/params.h"

namespace linnet {
namespace LINNET_ISA {

// Add and Sub, in whole numbers; operands that repeat one number move by no step.
template <bool kLeft, bool kRight>
static void sum_run(const BinaryS16Params& p, const int16_t* x, const int16_t* y, int16_t* z,
                    int64_t n) {
  const int64_t left = p.left_fixed;
  const int64_t right = p.op == BinaryOp::Sub ? -(int64_t)p.right_fixed : p.right_fixed;
  const int64_t offset = ((int64_t)1 << (p.shift - 1)) - p.x_zero * left - p.y_zero * right;
  const int64_t low = p.low - p.z_zero, high = p.high - p.z_zero;
  const int shift = p.shift, zero = p.z_zero;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const int64_t total = x[kLeft ? i : 0] * left + y[kRight ? i : 0] * right + offset;
    const int64_t steps = total >> shift;
    z[i] = (int16_t)((steps < low ? low : steps > high ? high : steps) + zero);
  }
}

template <bool kMoves>
LINNET_INLINE I load_operand(const int16_t* p, int64_t i, int n) {
  if (!kMoves) return splat_i(*p);
  return n == kLanes ? load_s16(p + i) : load_s16(p + i, n);
}

template <BinaryOp op, bool kLeft, bool kRight>
static void vector_run(const BinaryS16Params& p, const int16_t* from_x, const int16_t* from_y,
                       int16_t* z, int64_t n) {
  const F low = to_f(splat_i(p.low - p.z_zero)), high = to_f(splat_i(p.high - p.z_zero));
  for (int64_t i = 0; i < n; i += kLanes) {
    const int lanes = (int)(n - i < kLanes ? n - i : kLanes);
    const I x = load_operand<kLeft>(from_x, i, lanes), y = load_operand<kRight>(from_y, i, lanes);
    I stored;
    if constexpr (op == BinaryOp::Mul) {
      const I product = (x - splat_i(p.x_zero)) * (y - splat_i(p.y_zero));
      const F steps = clamp_f(to_f(product) * splat_f(p.product), low, high);
      stored = to_i_round(steps) + splat_i(p.z_zero);
    } else {
      const I first = op == BinaryOp::Minimum ? (I)(x < y) : (I)(x > y);
      stored = select(first, x, y);
    }
    lanes == kLanes ? store_s16(z + i, stored) : store_s16(z + i, stored, lanes);
  }
}

template <bool kLeft, bool kRight>
LINNET_INLINE void binary_run(const BinaryS16Params& p, const int16_t* x, const int16_t* y,
                              int16_t* z, int64_t n) {
  switch (p.op) {
    case BinaryOp::Mul:
      return vector_run<BinaryOp::Mul, kLeft, kRight>(p, x, y, z, n);
    case BinaryOp::Minimum:
      return vector_run<BinaryOp::Minimum, kLeft, kRight>(p, x, y, z, n);
    case BinaryOp::Maximum:
      return vector_run<BinaryOp::Maximum, kLeft, kRight>(p, x, y, z, n);
    default:
      return sum_run<kLeft, kRight>(p, x, y, z, n);
  }
}

static void binary_runs(const BinaryS16Params& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const int16_t* x = p.x + offset[0];
    const int16_t* y = p.y + offset[1];
    if (left && right) {
      binary_run<true, true>(p, x, y, p.z + at, n);
    } else if (left) {
      binary_run<true, false>(p, x, y, p.z + at, n);
    } else {
      binary_run<false, true>(p, x, y, p.z + at, n);
    }
  });
}

template <class From, class To>
static void look_up(const TableS16Params& p, const Worker& worker) {
  const Span span = split(p.count, worker, 64);
  const From* x = static_cast<const From*>(p.x);
  const To* table = static_cast<const To*>(p.table);
  To* y = static_cast<To*>(p.y);
  for (int64_t i = span.begin; i < span.end; ++i) y[i] = table[x[i]];
}

// On the line between two of 513 samples; x is from -32768 to 32767.
LINNET_INLINE int32_t interpolated(const int16_t* samples, int64_t x) {
  const int64_t index = 256 + (x >> 7), base = samples[index];
  return (int32_t)(base + (((samples[index + 1] - base) * (x & 127) + 64) >> 7));
}

// value * factor, as integer and shift, rounded twice: halves away from zero.
LINNET_INLINE int64_t scaled(int64_t value, int64_t factor, int shift) {
  const int64_t product = value * ((int64_t)1 << (shift > 0 ? shift : 0)) * factor;
  const int64_t half = (int64_t)1 << 30;
  const int64_t high = (product + (product >= 0 ? half : 1 - half)) / (2 * half);
  if (shift >= 0) return high;
  const int64_t mask = ((int64_t)1 << -shift) - 1;
  return (high >> -shift) + ((high & mask) > (mask >> 1) + (high < 0));
}

static void softmax_row(const SoftmaxS16Params& p, const int16_t* x, int16_t* y) {
  int32_t largest = x[0];
  for (int64_t i = 1; i < p.length; ++i) largest = x[i] > largest ? x[i] : largest;
  int64_t total = 0;
  for (int64_t i = 0; i < p.length; ++i) {
    const int64_t below = scaled(x[i] - largest, p.factor, p.shift) + 32767;
    y[i] = (int16_t)interpolated(p.exponents, below < -32768 ? -32768 : below);
    total += y[i];
  }
  const int64_t counted = total < 1 ? 1 : total;
  const int shift = __builtin_clzll((uint64_t)counted) - 32;
  int64_t normal = ((total << (shift - 1)) + (1 << 13)) >> 14;
  normal -= 98304;
  normal = normal < -32768 ? -32768 : normal > 32767 ? 32767 : normal;
  const int64_t inverse = interpolated(p.reciprocals, normal);
  const int right = 31 - shift;
  const int64_t half = right > 0 ? (int64_t)1 << (right - 1) : 0;
  for (int64_t i = 0; i < p.length; ++i) {
    const int64_t share = (y[i] * inverse + half) >> right;
    y[i] = (int16_t)(share < 0 ? 0 : share > 32767 ? 32767 : share);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
