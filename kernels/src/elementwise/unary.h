// One functor per float32 unary op, and the loop that applies it.
#pragma once

#include <math.h>

#include "elementwise/math.h"
#include "elementwise/params.h"

namespace linnet {
namespace LINNET_ISA {

namespace {
struct Clip {
  F a, b;
  F operator()(F x) const { return clip_f(x, a, b); }
};
struct LeakyRelu {
  F a, b;
  F operator()(F x) const { return select(x >= splat_f(0.0f), x, x * a); }
};
struct Sigmoid {
  F a, b;
  F operator()(F x) const { return sigmoid_f(x); }
};
struct Tanh {
  F a, b;
  F operator()(F x) const { return tanh_f(x); }
};
struct Exp {
  F a, b;
  F operator()(F x) const { return exp_f(x); }
};
struct Log {
  F a, b;
  F operator()(F x) const { return log_f(x); }
};
struct Sqrt {
  F a, b;
  F operator()(F x) const { return sqrt_f(x); }
};
struct Rsqrt {
  F a, b;
  F operator()(F x) const { return splat_f(1.0f) / sqrt_f(x); }
};
struct Neg {
  F a, b;
  F operator()(F x) const { return as_f(as_i(x) ^ splat_i(INT32_MIN)); }
};
struct Abs {
  F a, b;
  F operator()(F x) const { return abs_f(x); }
};
struct Square {
  F a, b;
  F operator()(F x) const { return x * x; }
};
struct Erf {
  F a, b;
  F operator()(F x) const { return erf_f(x); }
};
struct Gelu {
  F a, b;
  F operator()(F x) const { return gelu_f(x); }
};
struct GeluTanh {
  F a, b;
  F operator()(F x) const { return gelu_tanh_f(x); }
};
struct HardSwish {
  F a, b;
  F operator()(F x) const {
    const F gate = clip_f(x + splat_f(3.0f), splat_f(0.0f), splat_f(6.0f));
    return x * (gate * splat_f(1.0f / 6.0f));
  }
};
struct HardSigmoid {
  F a, b;
  F operator()(F x) const { return clip_f(fma(x, a, b), splat_f(0.0f), splat_f(1.0f)); }
};
struct Silu {
  F a, b;
  F operator()(F x) const { return x * sigmoid_f(x); }
};
struct Swish {
  F a, b;
  F operator()(F x) const { return x * sigmoid_f(a * x); }
};
struct Elu {
  F a, b;
  F operator()(F x) const {
    const F zero = splat_f(0.0f);
    return select(x > zero, x, a * expm1_nonpositive(min_f(zero, x)));
  }
};
struct Softplus {
  F a, b;
  F operator()(F x) const { return max_f(splat_f(0.0f), x) + log1p_unit(exp_minus_abs_f(x)); }
};
struct Floor {
  F a, b;
  F operator()(F x) const { return floor_f(x); }
};
struct Ceil {
  F a, b;
  F operator()(F x) const { return -floor_f(-x); }
};
struct Round {
  F a, b;
  F operator()(F x) const { return round_f(x); }
};
struct Reciprocal {
  F a, b;
  F operator()(F x) const { return splat_f(1.0f) / x; }
};
struct Sign {
  F a, b;
  F operator()(F x) const {
    const F zero = splat_f(0.0f);
    return select(x > zero, splat_f(1.0f), select(x < zero, splat_f(-1.0f), x));
  }
};

struct Cube {
  F a, b;
  F operator()(F x) const { return x * x * x; }
};
// A power differs from a square root below zero: it has no -0 and is infinite at -infinity.
struct Root {
  F a, b;
  F operator()(F x) const {
    const F infinity = splat_f(kInfinity);
    return select(x == -infinity, infinity, sqrt_f(x + splat_f(0.0f)));
  }
};
struct Sin {
  F a, b;
  F operator()(F x) const { return sin_f(x); }
  static double exact(double x) { return sin(x); }
};
struct Cos {
  F a, b;
  F operator()(F x) const { return cos_f(x); }
  static double exact(double x) { return cos(x); }
};
}  // namespace

template <class Function>
static void map_span(const UnaryParams& p, Span span) {
  const Function function{splat_f(p.a), splat_f(p.b)};
  int64_t i = span.begin;
  // Side by side, so that one vector's long chain of operations does not fill the reorder buffer.
  for (; i + 4 * kLanes <= span.end; i += 4 * kLanes) {
    F x[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) x[j] = load_f(p.x + i + j * kLanes);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) x[j] = function(x[j]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store_f(p.y + i + j * kLanes, x[j]);
  }
  for (; i + kLanes <= span.end; i += kLanes) store_f(p.y + i, function(load_f(p.x + i)));
  const int rest = static_cast<int>(span.end - i);
  if (rest > 0) store_f(p.y + i, function(load_f(p.x + i, rest)), rest);
}

template <class Function>
static void map_f32(const UnaryParams& p, const Worker& worker) {
  map_span<Function>(p, split(p.count, worker, 64));
}

static float largest(const float* x, int64_t count) {
  F most = splat_f(0.0f);
  int64_t i = 0;
  // What is compared comes first: NaN leaves the other.
  for (; i + kLanes <= count; i += kLanes) most = max_f(abs_f(load_f(x + i)), most);
  const int rest = static_cast<int>(count - i);
  if (rest > 0) most = max_f(abs_f(load_f(x + i, rest)), most);
  return max_of_f(most);
}

// Blocks with an angle so large that float32 does not hold what is left of it go one by one.
template <class Function>
static void map_angles(const UnaryParams& p, const Worker& worker) {
  constexpr int64_t kBlock = 512;
  const Span span = split(p.count, worker, 64);
  for (int64_t i = span.begin; i < span.end; i += kBlock) {
    const int64_t end = i + kBlock < span.end ? i + kBlock : span.end;
    if (largest(p.x + i, end - i) <= kLargestAngle) {
      map_span<Function>(p, {i, end});
      continue;
    }
    for (int64_t k = i; k < end; ++k) p.y[k] = static_cast<float>(Function::exact(p.x[k]));
  }
}
template <>
void map_f32<Sin>(const UnaryParams& p, const Worker& worker) {
  map_angles<Sin>(p, worker);
}
template <>
void map_f32<Cos>(const UnaryParams& p, const Worker& worker) {
  map_angles<Cos>(p, worker);
}

}  // namespace LINNET_ISA
}  // namespace linnet
