// Kernels of two operands, and where.
#include "elementwise/binary.h"

namespace linnet {
namespace LINNET_ISA {

void binary_f32(const BinaryF32Params& p, const Worker& worker) noexcept {
  switch (p.op) {
#define LINNET_CASE(name) \
  case BinaryOp::name:    \
    return map_pairs_f32<BinaryOp::name>(p, worker);
    LINNET_BINARY_OPS(LINNET_CASE)
#undef LINNET_CASE
  }
}

static bool same_scales(const BinaryS8Params& p) {
  return p.left == p.right && p.left == p.product && p.x_zero == p.y_zero && p.x_zero == p.z_zero;
}

void binary_s8(const BinaryS8Params& p, const Worker& worker) noexcept {
  switch (p.op) {
    case BinaryOp::Add:
    case BinaryOp::Sub:
      return map_fixed_s8(p, worker);
    case BinaryOp::Mul:
      return map_pairs_s8<BinaryOp::Mul>(p, worker);
    case BinaryOp::PRelu:
      return map_pairs_s8<BinaryOp::PRelu>(p, worker);
    case BinaryOp::Minimum:
      return same_scales(p) ? extremes_s8<false>(p, worker)
                            : map_pairs_s8<BinaryOp::Minimum>(p, worker);
    default:
      return same_scales(p) ? extremes_s8<true>(p, worker)
                            : map_pairs_s8<BinaryOp::Maximum>(p, worker);
  }
}

void pair_table_u8(const PairTableParams& p, const Worker& worker) noexcept {
  const int64_t left = p.shape.stride[0][p.shape.dims - 1];
  const int64_t right = p.shape.stride[1][p.shape.dims - 1];
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const uint8_t* x = p.x + offset[0];
    const uint8_t* y = p.y + offset[1];
    for (int64_t i = 0; i < n; ++i) p.z[at + i] = p.table[256 * x[i * left] + y[i * right]];
  });
}

template <CompareOp op>
LINNET_INLINE I related(F x, F y) {
  switch (op) {
    case CompareOp::Equal:
      return x == y;
    case CompareOp::Less:
      return x < y;
    case CompareOp::LessOrEqual:
      return x <= y;
    case CompareOp::Greater:
      return x > y;
    case CompareOp::GreaterOrEqual:
      return x >= y;
  }
}

template <CompareOp op>
static void compare_runs(const CompareParams& p, const Worker& worker) {
  const bool left = p.shape.stride[0][p.shape.dims - 1] != 0;
  const bool right = p.shape.stride[1][p.shape.dims - 1] != 0;
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const float* x = p.x + offset[0];
    const float* y = p.y + offset[1];
    for (int64_t i = 0; i < n; i += kLanes) {
      const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      const F first = left ? load_f(x + i, lanes) : splat_f(*x);
      const F second = right ? load_f(y + i, lanes) : splat_f(*y);
      store_u8(p.z + at + i, related<op>(first, second) & splat_i(1), lanes);
    }
  });
}

void compare_f32(const CompareParams& p, const Worker& worker) noexcept {
  switch (p.op) {
#define LINNET_CASE(name) \
  case CompareOp::name:   \
    return compare_runs<CompareOp::name>(p, worker);
    LINNET_COMPARE_OPS(LINNET_CASE)
#undef LINNET_CASE
  }
}

template <class T>
static void where_runs(const WhereParams& p, const Worker& worker) {
  const int last = p.shape.dims - 1;
  const int64_t step = p.shape.stride[0][last];
  const int64_t left = p.shape.stride[1][last];
  const int64_t right = p.shape.stride[2][last];
  for_runs(p.shape, worker, [&](int64_t at, const int64_t* offset, int64_t n) {
    const uint8_t* condition = p.condition + offset[0];
    const T* x = static_cast<const T*>(p.x) + offset[1];
    const T* y = static_cast<const T*>(p.y) + offset[2];
    T* z = static_cast<T*>(p.z) + at;
    for (int64_t i = 0; i < n; ++i) z[i] = condition[i * step] ? x[i * left] : y[i * right];
  });
}

void where(const WhereParams& p, const Worker& worker) noexcept {
  switch (p.itemsize) {
    case 1:
      return where_runs<uint8_t>(p, worker);
    case 2:
      return where_runs<uint16_t>(p, worker);
    case 4:
      return where_runs<uint32_t>(p, worker);
    default:
      return where_runs<uint64_t>(p, worker);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
