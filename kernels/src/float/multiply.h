// The float product as other families use it; defined once per ISA by the float unit.
#pragma once

#include "float/blocking.h"

namespace linnet {
namespace LINNET_ISA {

// A product of one matrix pair; see GemmF32Params. With `packed`, B is copied there piece by piece:
// room for kDepthBlockF32 * kPackColumnsF32 floats. With `adds`, the product is added to C.
struct ProductF32 {
  const float* a;
  const float* b;
  const float* bias;
  float* c;
  float* packed;
  ptrdiff_t lda;
  ptrdiff_t ldb;
  ptrdiff_t ldc;
  int64_t depth;
  float low;
  float high;
  LayoutF32 layout;
  bool adds;
};

// C of rows [0, rows) and columns [begin, end); begin is a multiple of 16.
void multiply(const ProductF32& p, int64_t rows, int64_t begin, int64_t end) noexcept;

}  // namespace LINNET_ISA
}  // namespace linnet
