// Functors of the binary ops and the loops over runs.
#pragma once

#include "elementwise/broadcast.h"
#include "elementwise/math.h"
#if defined(LINNET_NEON)
#include "elementwise/fixed_neon.h"
#else
#include "elementwise/fixed_x86.h"
#endif

namespace linnet {
namespace LINNET_ISA {

LINNET_INLINE F lesser(F x, F y) { return select(x != x, x, min_f(x, y)); }
LINNET_INLINE F greater(F x, F y) { return select(x != x, x, max_f(x, y)); }

template <BinaryOp op>
LINNET_INLINE F apply(F x, F y) {
  switch (op) {
    case BinaryOp::Add:
      return x + y;
    case BinaryOp::Sub:
      return x - y;
    case BinaryOp::Mul:
      return x * y;
    case BinaryOp::Div:
      return x / y;
    case BinaryOp::Minimum:
      return lesser(x, y);
    case BinaryOp::Maximum:
      return greater(x, y);
    case BinaryOp::SquaredDifference:
      return (x - y) * (x - y);
    case BinaryOp::PRelu:
      return select(x >= splat_f(0.0f), x, x * y);
  }
}

template <BinaryOp op, bool kLeft, bool kRight>
static void run_f32(const float* from_x, const float* from_y, float* z, int64_t n, F low, F high) {
  const FloatRun<kLeft> x(from_x);
  const FloatRun<kRight> y(from_y);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    store_f(z + i, clip_f(apply<op>(x.load(i), y.load(i)), low, high));
  }
  const int rest = static_cast<int>(n - i);
  if (rest > 0)
    store_f(z + i, clip_f(apply<op>(x.load(i, rest), y.load(i, rest)), low, high), rest);
}

template <BinaryOp op>
static void map_pairs_f32(const BinaryF32Params& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  const F low = splat_f(p.low);
  const F high = splat_f(p.high);
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const float* x = p.x + offset[0];
    const float* y = p.y + offset[1];
    if (left && right) {
      run_f32<op, true, true>(x, y, p.z + at, n, low, high);
    } else if (left) {
      run_f32<op, true, false>(x, y, p.z + at, n, low, high);
    } else {
      run_f32<op, false, true>(x, y, p.z + at, n, low, high);
    }
  });
}

// The quantized rules of BinaryS8Params, up to rounding; x and y are less their zero points.
template <BinaryOp op>
struct QuantizedRule {
  F left, right, product;
  explicit QuantizedRule(const BinaryS8Params& p)
      : left(splat_f(p.left)), right(splat_f(p.right)), product(splat_f(p.product)) {}
  F operator()(F x, F y) const {
    switch (op) {
      case BinaryOp::Mul:
        return x * y * product;
      case BinaryOp::PRelu:
        return select(x >= splat_f(0.0f), x * left, x * y * product);
      case BinaryOp::Minimum:
        return min_f(x * left, y * right) / product;
      default:
        return max_f(x * left, y * right) / product;
    }
  }
};

// Bounds in steps before the zero point is added.
struct StepBounds {
  F low, high;
  I zero;
  explicit StepBounds(const BinaryS8Params& p)
      : low(to_f(splat_i(p.low - p.z_zero))),
        high(to_f(splat_i(p.high - p.z_zero))),
        zero(splat_i(p.z_zero)) {}
  I operator()(F steps) const { return to_i_round(clamp_f(steps, low, high)) + zero; }
};

// Add and Sub, in whole numbers.
struct FixedRule {
  I left, right, offset, zero, low, high;
  int shift;
  FixedRule(const BinaryS8Params& p, int32_t sign)
      : left(splat_i(p.left_fixed)),
        right(splat_i(sign * p.right_fixed)),
        offset(splat_i((1 << (p.shift - 1)) - p.x_zero * p.left_fixed -
                       sign * p.y_zero * p.right_fixed)),
        zero(splat_i(p.z_zero)),
        low(splat_i(p.low)),
        high(splat_i(p.high)),
        shift(p.shift) {}
  I operator()(I x, I y) const {
    const I z = ((x * left + y * right + offset) >> shift) + zero;
    return select(z < low, low, select(z > high, high, z));
  }
};

template <bool kRepeats>
struct StoredRun {
  const int8_t* from;
  I value;
  explicit StoredRun(const int8_t* p) : from(p), value(splat_i(kRepeats ? *p : 0)) {}
  I load(int64_t i) const { return kRepeats ? value : load_s8(from + i); }
  I load(int64_t i, int n) const { return kRepeats ? value : load_s8(from + i, n); }
};

template <bool kLeft, bool kRight>
static void run_fixed(const FixedRule& rule, const int8_t* from_x, const int8_t* from_y, int8_t* z,
                      int64_t n) {
  const StoredRun<!kLeft> x(from_x);
  const StoredRun<!kRight> y(from_y);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_s8(z + i, rule(x.load(i), y.load(i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_s8(z + i, rule(x.load(i, rest), y.load(i, rest)), rest);
}

static void map_fixed_s8(const BinaryS8Params& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  const int32_t sign = p.op == BinaryOp::Sub ? -1 : 1;
  const FixedRule rule(p, sign);
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const int8_t* x = p.x + offset[0];
    const int8_t* y = p.y + offset[1];
    if (left && right) {
      const int64_t done = add_fixed_blocks(p, sign, x, y, p.z + at, n);
      run_fixed<true, true>(rule, x + done, y + done, p.z + at + done, n - done);
    } else if (left) {
      run_fixed<true, false>(rule, x, y, p.z + at, n);
    } else {
      run_fixed<false, true>(rule, x, y, p.z + at, n);
    }
  });
}

template <BinaryOp op, bool kLeft, bool kRight>
static void run_s8(const BinaryS8Params& p, const int8_t* from_x, const int8_t* from_y, int8_t* z,
                   int64_t n) {
  const ByteRun<kLeft> x(from_x, p.x_zero);
  const ByteRun<kRight> y(from_y, p.y_zero);
  const QuantizedRule<op> rule(p);
  const StepBounds stored(p);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_s8(z + i, stored(rule(x.load(i), y.load(i))));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_s8(z + i, stored(rule(x.load(i, rest), y.load(i, rest))), rest);
}

template <BinaryOp op>
static void map_pairs_s8(const BinaryS8Params& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const int8_t* x = p.x + offset[0];
    const int8_t* y = p.y + offset[1];
    if (left && right) {
      run_s8<op, true, true>(p, x, y, p.z + at, n);
    } else if (left) {
      run_s8<op, true, false>(p, x, y, p.z + at, n);
    } else {
      run_s8<op, false, true>(p, x, y, p.z + at, n);
    }
  });
}

// Lesser or greater of bytes of one scale and zero point: no arithmetic at all.
template <bool kGreatest>
LINNET_INLINE int8_t extreme(int8_t x, int8_t y) {
  return (x < y) == kGreatest ? y : x;
}

template <bool kGreatest>
static void extremes_s8(const BinaryS8Params& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const int8_t* moving = left ? p.x + offset[0] : p.y + offset[1];
    const int8_t* other = left ? p.y + offset[1] : p.x + offset[0];
    int8_t* z = p.z + at;
    if (left && right) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) z[i] = extreme<kGreatest>(moving[i], other[i]);
    } else {
      const int8_t repeated = *other;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) z[i] = extreme<kGreatest>(moving[i], repeated);
    }
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
