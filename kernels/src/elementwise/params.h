// Parameters of the elementwise kernels. Buffers may coincide (in place) but not overlap otherwise.
#pragma once

#include "core/kernel.h"
#include "core/numbers.h"

namespace linnet {

// y[i] = table[x[i]] for bytes.
struct TableParams {
  const uint8_t* x;
  uint8_t* y;
  const uint8_t* table;
  int64_t count;
};

// y[i] = x[i] ^ 0x80: int8 <-> uint8 with zero points 128 apart.
struct FlipParams {
  const uint8_t* x;
  uint8_t* y;
  int64_t count;
};

// Named as the op classes; the formulas are theirs, a and b their fields in order. Cube and Root
// are Pow to 3 and to 0.5.
// clang-format off
#define LINNET_UNARY_OPS(X)                                                     \
  X(Clip) X(LeakyRelu) X(Sigmoid) X(Tanh) X(Exp) X(Log) X(Sqrt) X(Rsqrt)        \
  X(Neg) X(Abs) X(Square) X(Erf) X(Gelu) X(GeluTanh) X(HardSwish)               \
  X(HardSigmoid) X(Silu) X(Elu) X(Softplus) X(Floor) X(Ceil) X(Round)           \
  X(Reciprocal) X(Sign) X(Cube) X(Root) X(Sin) X(Cos) X(Swish)
// clang-format on

enum class UnaryOp : int32_t {
#define LINNET_NAME(name) name,
  LINNET_UNARY_OPS(LINNET_NAME)
#undef LINNET_NAME
};

// y[i] = op(x[i]) in float32.
struct UnaryParams {
  const float* x;
  float* y;
  int64_t count;
  UnaryOp op;
  float a;
  float b;
};

constexpr int kMaxDims = 6;
constexpr int kMaxOperands = 3;

// An output of `count` elements walked in row-major order, adjacent dimensions merged. Strides are
// in elements, 0 where an operand repeats; that of the last dimension is 0 or 1.
struct Broadcast {
  int64_t count;
  int32_t dims;
  int32_t operands;
  int64_t size[kMaxDims];
  int64_t stride[kMaxOperands][kMaxDims];
};

#define LINNET_BINARY_OPS(X) \
  X(Add) X(Sub) X(Mul) X(Div) X(Minimum) X(Maximum) X(SquaredDifference) X(PRelu)

enum class BinaryOp : int32_t {
#define LINNET_NAME(name) name,
  LINNET_BINARY_OPS(LINNET_NAME)
#undef LINNET_NAME
};

// z = clip(op(x, y), low, high) in float32; NaN stays NaN.
struct BinaryF32Params {
  const float* x;
  const float* y;
  float* z;
  Broadcast shape;
  BinaryOp op;
  float low;
  float high;
};

// With X = x - x_zero, Y = y - y_zero:
//   Add, Sub            z = clip(((X * left_fixed +- Y * right_fixed + half) >> shift) + z_zero),
//                       half = 2^(shift - 1), in int32, which holds every sum
// and else z = clip(round_half_even(steps), low - z_zero, high - z_zero) + z_zero with steps
//   Mul                 float(X * Y) * product
//   PRelu               float(X) * left where X >= 0, else float(X * Y) * product
//   Minimum, Maximum    min or max of float(X) * left and float(Y) * right, divided by product
// where the op fills left, right and product with the ratios of scales that its reference uses, or,
// for Minimum and Maximum, with the scales of x, y and z.
// On int16, Add and Sub are in int64, products of stored numbers less their zero points fit int32,
// and Minimum and Maximum compare stored numbers, without left and right.
template <class T>
struct StoredBinaryParams {
  const T* x;
  const T* y;
  T* z;
  Broadcast shape;
  BinaryOp op;
  float left;
  float right;
  float product;
  int32_t left_fixed;
  int32_t right_fixed;
  int32_t shift;
  int32_t x_zero;
  int32_t y_zero;
  int32_t z_zero;
  int32_t low;
  int32_t high;
};
using BinaryS8Params = StoredBinaryParams<int8_t>;
using BinaryS16Params = StoredBinaryParams<int16_t>;

// z = table[256 * x + y] for bytes: any function of two quantized operands.
struct PairTableParams {
  const uint8_t* x;
  const uint8_t* y;
  uint8_t* z;
  Broadcast shape;
  const uint8_t* table;
};

#define LINNET_COMPARE_OPS(X) X(Equal) X(Less) X(LessOrEqual) X(Greater) X(GreaterOrEqual)

enum class CompareOp : int32_t {
#define LINNET_NAME(name) name,
  LINNET_COMPARE_OPS(LINNET_NAME)
#undef LINNET_NAME
};

// z = 1 where the relation holds, else 0.
struct CompareParams {
  const float* x;
  const float* y;
  uint8_t* z;
  Broadcast shape;
  CompareOp op;
};

// clang-format off
#define LINNET_WHOLE_OPS(X)                                                 \
  X(Add) X(Sub) X(Mul) X(Div) X(FloorDiv) X(Mod) X(Fmod)                    \
  X(Minimum) X(Maximum) X(SquaredDifference) X(PRelu)                       \
  X(And) X(Or) X(Xor) X(Equal) X(Less) X(LessOrEqual)
// clang-format on

enum class WholeOp : int32_t {
#define LINNET_NAME(name) name,
  LINNET_WHOLE_OPS(LINNET_NAME)
#undef LINNET_NAME
};

// z = op(x, y) of int32, int64, uint8 or bool (which counts as uint8), modulo their range. Div
// truncates, FloorDiv rounds down, Mod has the sign of y and Fmod that of x; by zero all four give
// 0. Relations give bytes of 0 and 1, everything else the operands' type.
struct BinaryWholeParams {
  const void* x;
  const void* y;
  void* z;
  Broadcast shape;
  WholeOp op;
  NumberType type;
};

// z = x where condition != 0, else y; elements of 1, 2, 4 or 8 bytes.
struct WhereParams {
  const uint8_t* condition;
  const void* x;
  const void* y;
  void* z;
  Broadcast shape;
  int32_t itemsize;
};

// A tensor [outer, channels, inner] quantized along channels (1 for per-tensor parameters).
struct AffineLayout {
  int64_t outer;
  int64_t channels;
  int64_t inner;
  const float* scale;
  const int32_t* zero;
};

enum class StoredType : int32_t { int8, uint8, int16 };

// y = clip(round_half_even(x / scale[c]) + zero[c], low, high) as `type`; NaN becomes zero[c].
struct QuantizeParams {
  const float* x;
  void* y;
  AffineLayout layout;
  int32_t low;
  int32_t high;
  StoredType type;
};

// y = float(x - zero[c]) * scale[c] of `type`.
struct DequantizeParams {
  const void* x;
  float* y;
  AffineLayout layout;
  StoredType type;
};

// y[i] = x[i] in another type: floats truncate toward zero and saturate, NaN becomes 0; integers
// wrap; anything but zero is true.
struct CastParams {
  const void* x;
  void* y;
  int64_t count;
  NumberType from;
  NumberType to;
};

}  // namespace linnet
