// Python registration of the elementwise kernels.
#include "elementwise/binding.h"

namespace linnet {
namespace {

using Address = uintptr_t;

// Estimated nanoseconds per element on one thread: moving bytes, or evaluating a function.
constexpr double kMove = 0.1;
constexpr double kArithmetic = 0.25;
constexpr double kFunction = 1.0;
constexpr double kDivision = 5.0;

bool is_function(UnaryOp op) {
  switch (op) {
    case UnaryOp::Sigmoid:
    case UnaryOp::Tanh:
    case UnaryOp::Exp:
    case UnaryOp::Log:
    case UnaryOp::Erf:
    case UnaryOp::Gelu:
    case UnaryOp::GeluTanh:
    case UnaryOp::Silu:
    case UnaryOp::Swish:
    case UnaryOp::Elu:
    case UnaryOp::Softplus:
      return true;
    default:
      return false;
  }
}

double nanoseconds(int64_t count, double each) { return static_cast<double>(count) * each; }

int add_unary(Program& program, const std::string& name, Address x, Address y, int64_t count,
              float a, float b) {
  const auto op = static_cast<UnaryOp>(index_of(kUnaryNames, name));
  const UnaryParams params{at<const float>(x), at<float>(y), count, op, a, b};
  const double each = is_function(op) ? kFunction : kArithmetic;
  return program.add(Kernel::unary_f32, params, Cost{nanoseconds(count, each), 0});
}

int add_binary_f32(Program& program, const std::string& name, Address x, Address y, Address z,
                   const Sizes& sizes, const std::vector<Sizes>& strides, float low, float high) {
  const auto op = static_cast<BinaryOp>(index_of(kBinaryNames, name));
  const Broadcast shape = broadcast(sizes, strides);
  const BinaryF32Params params{
      at<const float>(x), at<const float>(y), at<float>(z), shape, op, low, high};
  return program.add(Kernel::binary_f32, params, Cost{nanoseconds(shape.count, kArithmetic), 0});
}

// `ratios` is (left, right, product), `fixed` (left, right, shift), `zeros` those of x, y and z,
// `bounds` stored ones.
int add_binary_s8(Program& program, const std::string& name, Address x, Address y, Address z,
                  const Sizes& sizes, const std::vector<Sizes>& strides,
                  const std::array<float, 3>& ratios, const std::array<int32_t, 3>& fixed,
                  const std::array<int32_t, 3>& zeros, const std::array<int32_t, 2>& bounds) {
  const auto op = static_cast<BinaryOp>(index_of(kBinaryNames, name));
  const Broadcast shape = broadcast(sizes, strides);
  const BinaryS8Params params{at<const int8_t>(x),
                              at<const int8_t>(y),
                              at<int8_t>(z),
                              shape,
                              op,
                              ratios[0],
                              ratios[1],
                              ratios[2],
                              fixed[0],
                              fixed[1],
                              fixed[2],
                              zeros[0],
                              zeros[1],
                              zeros[2],
                              bounds[0],
                              bounds[1]};
  return program.add(Kernel::binary_s8, params, Cost{nanoseconds(shape.count, kArithmetic), 0});
}

int add_pair_table(Program& program, Address x, Address y, Address z, const Sizes& sizes,
                   const std::vector<Sizes>& strides, Address table) {
  const Broadcast shape = broadcast(sizes, strides);
  const PairTableParams params{at<const uint8_t>(x), at<const uint8_t>(y), at<uint8_t>(z), shape,
                               at<const uint8_t>(table)};
  return program.add(Kernel::pair_table_u8, params, Cost{nanoseconds(shape.count, kFunction), 0});
}

int add_compare(Program& program, const std::string& name, Address x, Address y, Address z,
                const Sizes& sizes, const std::vector<Sizes>& strides) {
  const auto op = static_cast<CompareOp>(index_of(kCompareNames, name));
  const Broadcast shape = broadcast(sizes, strides);
  const CompareParams params{at<const float>(x), at<const float>(y), at<uint8_t>(z), shape, op};
  return program.add(Kernel::compare_f32, params, Cost{nanoseconds(shape.count, kArithmetic), 0});
}

int add_whole(Program& program, const std::string& name, Address x, Address y, Address z,
              const Sizes& sizes, const std::vector<Sizes>& strides, NumberType type) {
  const auto op = static_cast<WholeOp>(index_of(kWholeNames, name));
  const Broadcast shape = broadcast(sizes, strides);
  const BinaryWholeParams params{
      at<const void>(x), at<const void>(y), at<void>(z), shape, op, type};
  const bool divides = op >= WholeOp::Div && op <= WholeOp::Fmod;
  const double each = divides ? kDivision : kArithmetic;
  return program.add(Kernel::binary_whole, params, Cost{nanoseconds(shape.count, each), 0});
}

int add_where(Program& program, Address condition, Address x, Address y, Address z,
              const Sizes& sizes, const std::vector<Sizes>& strides, int32_t itemsize) {
  const Broadcast shape = broadcast(sizes, strides);
  const WhereParams params{at<const uint8_t>(condition),
                           at<const void>(x),
                           at<const void>(y),
                           at<void>(z),
                           shape,
                           itemsize};
  return program.add(Kernel::where, params, Cost{nanoseconds(shape.count, kArithmetic), 0});
}

// `layout` is (outer, channels, inner).
AffineLayout affine(const std::array<int64_t, 3>& layout, Address scale, Address zero) {
  return {layout[0], layout[1], layout[2], at<const float>(scale), at<const int32_t>(zero)};
}

StoredType stored_type(const std::string& name) {
  return name == "int8"    ? StoredType::int8
         : name == "uint8" ? StoredType::uint8
                           : StoredType::int16;
}

int add_quantize(Program& program, Address x, Address y, const std::array<int64_t, 3>& layout,
                 Address scale, Address zero, int32_t low, int32_t high, const std::string& type) {
  const QuantizeParams params{
      at<const float>(x), at<void>(y), affine(layout, scale, zero), low, high, stored_type(type)};
  const int64_t count = layout[0] * layout[1] * layout[2];
  return program.add(Kernel::quantize_f32, params, Cost{nanoseconds(count, kArithmetic), 0});
}

int add_dequantize(Program& program, Address x, Address y, const std::array<int64_t, 3>& layout,
                   Address scale, Address zero, const std::string& type) {
  const DequantizeParams params{at<const void>(x), at<float>(y), affine(layout, scale, zero),
                                stored_type(type)};
  const int64_t count = layout[0] * layout[1] * layout[2];
  return program.add(Kernel::dequantize, params, Cost{nanoseconds(count, kArithmetic), 0});
}

int add_cast(Program& program, Address x, Address y, int64_t count, NumberType from,
             NumberType to) {
  const CastParams params{at<const void>(x), at<void>(y), count, from, to};
  return program.add(Kernel::cast, params, Cost{nanoseconds(count, kArithmetic), 0});
}

int add_table(Program& program, Address x, Address y, Address table, int64_t count) {
  const TableParams params{at<const uint8_t>(x), at<uint8_t>(y), at<const uint8_t>(table), count};
  return program.add(Kernel::table_u8, params, Cost{nanoseconds(count, kArithmetic), 0});
}

int add_flip(Program& program, Address x, Address y, int64_t count) {
  const FlipParams params{at<const uint8_t>(x), at<uint8_t>(y), count};
  return program.add(Kernel::flip_u8, params, Cost{nanoseconds(count, kMove), 0});
}

}  // namespace

void bind_elementwise(Methods& program) {
  program.def("table_u8", add_table)
      .def("flip_u8", add_flip)
      .def("unary_f32", add_unary)
      .def("binary_f32", add_binary_f32)
      .def("binary_s8", add_binary_s8)
      .def("pair_table_u8", add_pair_table)
      .def("compare_f32", add_compare)
      .def("binary_whole", add_whole)
      .def("where", add_where)
      .def("quantize_f32", add_quantize)
      .def("dequantize", add_dequantize)
      .def("cast", add_cast);
}

}  // namespace linnet
