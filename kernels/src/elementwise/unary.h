// One functor per float32 unary op, and the loop that applies it.
#pragma once

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
struct Elu {
  F a, b;
  F operator()(F x) const {
    const F zero = splat_f(0.0f);
    return select(x > zero, x, a * expm1_nonpositive(min_f(zero, x)));
  }
};
struct Softplus {
  F a, b;
  F operator()(F x) const { return max_f(splat_f(0.0f), x) + log1p_unit(exp_f(-abs_f(x))); }
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
}  // namespace

template <class Function>
static void map_f32(const UnaryParams& p, const Worker& worker) {
  const Span span = split(p.count, worker, 64);
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

}  // namespace LINNET_ISA
}  // namespace linnet
