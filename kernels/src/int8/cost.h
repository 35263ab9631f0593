// What families that multiply bytes decide when they are bound: layouts, rows at a time, time.
#pragma once

#include <algorithm>
#include <string>

#include "core/program.h"
#include "int8/layout.h"

namespace linnet {
namespace {

#if defined(__aarch64__) || defined(__arm__)
constexpr bool kArm = true;
#else
constexpr bool kArm = false;
#endif

// Bytes of copied activations that share the first-level cache with weights, and the same where
// every pass over the weights costs more: they are read from beyond the second level, or widened.
constexpr int64_t kBlockBytes = 24 * 1024;
constexpr int64_t kWideBlockBytes = 192 * 1024;
constexpr int64_t kLargeWeights = 512 * 1024;
// A copied row may be written up to a vector beyond its end.
constexpr int64_t kSlack = 128;

inline ProductS8 product_of(const Program& program) {
  const std::string& isa = program.isa_name();
  if (isa == "avx512vnni") return ProductS8::bytes;
  if (isa == "dotprod") return ProductS8::quads;
  if (isa == "i8mm") return ProductS8::eights;
  return kArm ? ProductS8::sixteens : ProductS8::words;
}

inline LayoutS8 layout_of(const Program& program) { return layout_s8(product_of(program)); }

// The layout of tiles that other families build on: Arm multiplies 16-bit pairs there.
inline LayoutS8 word_layout_of(const Program& program) {
  return kArm ? layout_s8(ProductS8::words) : layout_of(program);
}

// Multiply-accumulates per nanosecond, rough: they only decide how many threads are worth waking.
inline double rate_of(const Program& program) {
  const std::string& isa = program.isa_name();
  if (kArm) return isa == "i8mm" ? 80.0 : isa == "dotprod" ? 40.0 : 7.0;
  return isa == "avx512vnni" ? 150.0 : isa == "avx2" ? 45.0 : 14.0;
}

// Whether weights are widened for all rows of a block; see widened.h.
inline bool widens(const Program& program) { return program.isa_name() == "avx2"; }

inline int64_t budget_for(int64_t weight_bytes, bool widened) {
  return widened || weight_bytes > kLargeWeights ? kWideBlockBytes : kBlockBytes;
}

// Rows copied at a time: whole tiles (12 rows are whole tiles of any height), within the cache.
inline int32_t block_rows(int64_t rows, int64_t depth, int64_t budget, const LayoutS8& layout) {
  const int64_t bytes = std::max<int64_t>(row_bytes(depth, layout), 1);
  const int64_t fit = budget / bytes / 12 * 12;
  const int64_t block = std::min<int64_t>(std::max<int64_t>(fit, 12), kMaxBlock);
  return static_cast<int32_t>(std::max<int64_t>(std::min(block, rows), 1));
}

}  // namespace
}  // namespace linnet
