// Input rows that a row of outputs reads where they lie: what is outside the image is one vector of
// padding.
#pragma once

#include "depthwise/tiling.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int kMostRows = 4;

namespace {
struct ImageRows {
  const int8_t* row[kMostRows];  // the first column's values of the task's channels
  ptrdiff_t step[kMostRows];     // bytes from one column to the next: none in padding
  const int8_t* padding;
  int width, left;  // columns; the first output starts so many before the first of them
};
}  // namespace

// Rows of output row `i`; those beyond the kernel repeat its last one.
LINNET_INLINE ImageRows image_rows(const DepthwiseShape& s, const int8_t* image, int i, int channel,
                                   const int8_t* padding) {
  ImageRows r;
  r.padding = padding, r.width = s.width, r.left = s.left;
  for (int k = 0; k < kMostRows; ++k) {
    const int y = i * s.stride_h - s.top + (k < s.kernel_h ? k : s.kernel_h - 1) * s.dilation_h;
    const bool inside = y >= 0 && y < s.height;
    r.row[k] = inside ? image + (ptrdiff_t)y * s.width * s.channels + channel : padding;
    r.step[k] = inside ? s.channels : 0;
  }
  return r;
}

// Value of row k at a column that may lie outside.
LINNET_INLINE const int8_t* safe_place(const ImageRows& r, int k, int column) {
  return column >= 0 && column < r.width ? r.row[k] + column * r.step[k] : r.padding;
}

// Three columns move over a row: `at(column)` makes one, `at_inside` one that lies in the image,
// `out(a, b, c)` an output, which `put(j, output)` stores. Those of several columns are made before
// they are stored: in-order cores need them interleaved, and a store of bytes may be to anything.
template <class Column, class At, class AtInside, class Out, class Put>
LINNET_INLINE void move_columns(const ImageRows r, int stride, int outputs, const At& at,
                                const AtInside& at_inside, const Out& out, const Put& put) {
  int j = 0;
  if (stride == 1) {
    Column a = at(-r.left), b = at(1 - r.left);
    for (; j + 3 <= outputs && j + 5 - r.left <= r.width; j += 3) {
      const int column = j + 2 - r.left;
      if (column < 0) break;
      const Column c = at_inside(column), d = at_inside(column + 1), e = at_inside(column + 2);
      const auto first = out(a, b, c), second = out(b, c, d), third = out(c, d, e);
      put(j, first);
      put(j + 1, second);
      put(j + 2, third);
      a = d, b = e;
    }
    for (; j + 2 <= outputs; j += 2) {
      const Column c = at(j + 2 - r.left), d = at(j + 3 - r.left);
      const auto first = out(a, b, c), second = out(b, c, d);
      put(j, first);
      put(j + 1, second);
      a = c, b = d;
    }
    if (j < outputs) put(j, out(a, b, at(j + 2 - r.left)));
    return;
  }
  Column a = at(-r.left);
  for (; j + 2 <= outputs && 2 * j + 5 - r.left <= r.width; j += 2) {
    const int column = 2 * j + 1 - r.left;
    if (column < 0) break;
    const Column c = at_inside(column + 1), e = at_inside(column + 3);
    const auto first = out(a, at_inside(column), c), second = out(c, at_inside(column + 2), e);
    put(j, first);
    put(j + 1, second);
    a = e;
  }
  for (; j < outputs; ++j) {
    const int column = 2 * j + 1 - r.left;
    const Column b = at(column), c = at(column + 1);
    put(j, out(a, b, c));
    a = c;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
