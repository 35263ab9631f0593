// What families that bind elementwise kernels share: names of operations, and broadcasts.
#pragma once

#include <stdexcept>

#include "core/methods.h"

namespace linnet {
namespace {

using Sizes = std::vector<int64_t>;

inline int index_of(const std::vector<std::string>& names, const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  throw std::invalid_argument("no elementwise kernel for " + name);
}

#define LINNET_NAME(name) #name,
const std::vector<std::string> kUnaryNames = {LINNET_UNARY_OPS(LINNET_NAME)};
const std::vector<std::string> kBinaryNames = {LINNET_BINARY_OPS(LINNET_NAME)};
const std::vector<std::string> kCompareNames = {LINNET_COMPARE_OPS(LINNET_NAME)};
const std::vector<std::string> kWholeNames = {LINNET_WHOLE_OPS(LINNET_NAME)};
#undef LINNET_NAME

inline Broadcast broadcast(const Sizes& sizes, const std::vector<Sizes>& strides) {
  if (sizes.empty() || sizes.size() > kMaxDims || strides.size() > kMaxOperands) {
    throw std::invalid_argument("broadcast of too many dimensions or operands");
  }
  Broadcast shape = {};
  shape.count = 1;
  shape.dims = static_cast<int32_t>(sizes.size());
  shape.operands = static_cast<int32_t>(strides.size());
  for (size_t d = 0; d < sizes.size(); ++d) {
    shape.size[d] = sizes[d];
    shape.count *= sizes[d];
    for (size_t k = 0; k < strides.size(); ++k) shape.stride[k][d] = strides[k].at(d);
  }
  return shape;
}

}  // namespace
}  // namespace linnet
