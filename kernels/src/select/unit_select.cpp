// Kernels that order, search and accumulate elements, compiled once per ISA.
#include "select/boxes.h"
#include "select/lines.h"

namespace linnet {
namespace LINNET_ISA {

void top_k(const TopKParams& p, const Worker& w) noexcept {
  if (p.type == NumberType::float32_) return top_of_lines<float>(p, w);
  if (p.type == NumberType::int32_) return top_of_lines<int32_t>(p, w);
  if (p.type == NumberType::int64_) return top_of_lines<int64_t>(p, w);
  return top_of_lines<int8_t>(p, w);
}

void cumulate(const CumulateParams& p, const Worker& w) noexcept {
  if (p.type == NumberType::float32_) return cumulate_lines<float, double>(p, w);
  if (p.type == NumberType::int32_) return cumulate_lines<int32_t, uint64_t>(p, w);
  return cumulate_lines<int64_t, uint64_t>(p, w);
}

void arg_lines(const ArgLinesParams& p, const Worker& w) noexcept {
  if (p.type == NumberType::float32_) return arg_of_lines<float>(p, w);
  if (p.type == NumberType::int32_) return arg_of_lines<int32_t>(p, w);
  if (p.type == NumberType::int64_) return arg_of_lines<int64_t>(p, w);
  if (p.type == NumberType::int8_) return arg_of_lines<int8_t>(p, w);
  return arg_of_lines<uint8_t>(p, w);
}

template <class T>
static void reduce_any(const ReduceWholeParams& p, const Worker& w) {
  if (p.fold == Fold::sum) return reduce_lines<T, Fold::sum>(p, w);
  if (p.fold == Fold::max) return reduce_lines<T, Fold::max>(p, w);
  if (p.fold == Fold::min) return reduce_lines<T, Fold::min>(p, w);
  reduce_lines<T, Fold::product>(p, w);
}

void reduce_whole(const ReduceWholeParams& p, const Worker& w) noexcept {
  if (p.type == NumberType::int32_) return reduce_any<int32_t>(p, w);
  if (p.type == NumberType::int64_) return reduce_any<int64_t>(p, w);
  reduce_any<uint8_t>(p, w);
}

void detections(const DetectionParams& p, const Worker& w) noexcept { detect(p, w); }
void suppression(const SuppressionParams& p, const Worker& w) noexcept { suppress_boxes(p, w); }
void class_suppression(const ClassSuppressionParams& p, const Worker& w) noexcept {
  suppress_classes(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
