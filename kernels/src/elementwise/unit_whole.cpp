// Kernels of two operands of plain integers or bool.
#include <string.h>

#include "elementwise/broadcast.h"

namespace linnet {
namespace LINNET_ISA {

// The unsigned type in which arithmetic wraps.
template <int kBytes>
struct Unsigned;
template <>
struct Unsigned<1> {
  using type = uint8_t;
};
template <>
struct Unsigned<4> {
  using type = uint32_t;
};
template <>
struct Unsigned<8> {
  using type = uint64_t;
};

// Vectors of any integer type; comparisons of them give masks of all bits.
template <class T>
struct Pack {
  static constexpr int kCount = kLanes * 4 / static_cast<int>(sizeof(T));
  using V [[gnu::vector_size(kLanes * 4)]] = T;
  using U [[gnu::vector_size(kLanes * 4)]] = typename Unsigned<sizeof(T)>::type;
  using Bytes [[gnu::vector_size(kCount)]] = uint8_t;
};

constexpr bool is_relation(WholeOp op) {
  return op == WholeOp::Equal || op == WholeOp::Less || op == WholeOp::LessOrEqual;
}

constexpr bool is_division(WholeOp op) { return op >= WholeOp::Div && op <= WholeOp::Fmod; }

// By y = 0 nothing is divided; y = -1 wraps instead of trapping.
template <WholeOp op, class T>
LINNET_INLINE T divided(T x, T y) {
  using U = typename Unsigned<sizeof(T)>::type;
  if (y == 0) return 0;
  const bool negates = T(-1) < T(0) && y == T(-1);
  const T quotient = negates ? T(U(0) - U(x)) : T(x / y);
  const T rest = negates ? T(0) : T(x % y);
  const bool below = rest != 0 && (rest < T(0)) != (y < T(0));
  if (op == WholeOp::Div) return quotient;
  if (op == WholeOp::FloorDiv) return T(quotient - below);
  return op == WholeOp::Mod && below ? T(rest + y) : rest;
}

template <WholeOp op, class T>
LINNET_INLINE typename Pack<T>::V whole(typename Pack<T>::V x, typename Pack<T>::V y) {
  using V = typename Pack<T>::V;
  using U = typename Pack<T>::U;
  const U u = (U)x, v = (U)y;
  switch (op) {
    case WholeOp::Add:
      return (V)(u + v);
    case WholeOp::Sub:
      return (V)(u - v);
    case WholeOp::Mul:
      return (V)(u * v);
    case WholeOp::Minimum:
      return x < y ? x : y;
    case WholeOp::Maximum:
      return x < y ? y : x;
    case WholeOp::SquaredDifference:
      return (V)((u - v) * (u - v));
    case WholeOp::PRelu:
      return x < V{} ? (V)(u * v) : x;
    case WholeOp::And:
      return x & y;
    case WholeOp::Or:
      return x | y;
    case WholeOp::Xor:
      return x ^ y;
    case WholeOp::Equal:
      return (V)(x == y);
    case WholeOp::Less:
      return (V)(x < y);
    default:
      return (V)(x <= y);
  }
}

// One operand of a run: elements that follow each other, or one repeated.
template <class T>
struct WholeRun {
  using V = typename Pack<T>::V;
  const T* from;
  V repeated;
  bool moves;
  WholeRun(const void* p, bool moving)
      : from(static_cast<const T*>(p)), repeated(V{} + *from), moves(moving) {}
  V load(int64_t i, int64_t n) const {
    V values = repeated;
    if (moves) memcpy(&values, from + i, static_cast<size_t>(n) * sizeof(T));
    return values;
  }
  V load(int64_t i) const { return load(i, Pack<T>::kCount); }
};

template <WholeOp op, class T>
LINNET_INLINE void store_whole(void* z, int64_t i, int64_t n, typename Pack<T>::V values) {
  const size_t count = static_cast<size_t>(n);
  if (is_relation(op)) {
    const auto bytes = __builtin_convertvector(values, typename Pack<T>::Bytes) & 1;
    memcpy(static_cast<uint8_t*>(z) + i, &bytes, count);
  } else {
    memcpy(static_cast<T*>(z) + i, &values, count * sizeof(T));
  }
}

using RunFn = void (*)(const void* x, const void* y, void* z, int64_t n, bool left, bool right);

template <WholeOp op, class T>
static void whole_run(const void* from_x, const void* from_y, void* z, int64_t n, bool left,
                      bool right) {
  if constexpr (is_division(op)) {
    const T* x = static_cast<const T*>(from_x);
    const T* y = static_cast<const T*>(from_y);
    for (int64_t i = 0; i < n; ++i) {
      static_cast<T*>(z)[i] = divided<op>(x[left ? i : 0], y[right ? i : 0]);
    }
  } else {
    constexpr int kStep = Pack<T>::kCount;
    const WholeRun<T> x(from_x, left), y(from_y, right);
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
      store_whole<op, T>(z, i, kStep, whole<op, T>(x.load(i), y.load(i)));
    }
    if (i < n) store_whole<op, T>(z, i, n - i, whole<op, T>(x.load(i, n - i), y.load(i, n - i)));
  }
}

template <class T>
static RunFn run_of(WholeOp op) {
  static const RunFn kRuns[] = {
#define LINNET_RUN(name) whole_run<WholeOp::name, T>,
      LINNET_WHOLE_OPS(LINNET_RUN)
#undef LINNET_RUN
  };
  return kRuns[static_cast<int>(op)];
}

static RunFn run_of(WholeOp op, NumberType type) {
  switch (type) {
    case NumberType::int32_:
      return run_of<int32_t>(op);
    case NumberType::int64_:
      return run_of<int64_t>(op);
    default:
      return run_of<uint8_t>(op);
  }
}

void binary_whole(const BinaryWholeParams& p, const Worker& worker) noexcept {
  const RunFn run = run_of(p.op, p.type);
  const int64_t item = p.type == NumberType::int64_ ? 8 : p.type == NumberType::int32_ ? 4 : 1;
  const int64_t made = is_relation(p.op) ? 1 : item;
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    run(static_cast<const char*>(p.x) + item * offset[0],
        static_cast<const char*>(p.y) + item * offset[1], static_cast<char*>(p.z) + made * at, n,
        left, right);
  });
}

}  // namespace LINNET_ISA
}  // namespace linnet
