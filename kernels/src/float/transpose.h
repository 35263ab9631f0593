// Transposing copies of float matrices.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet {
namespace LINNET_ISA {

typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t QuadIndex __attribute__((vector_size(16)));

// dst[j * ldd + i] = src[i * lds + j] for i < rows, j < columns. Reads up to 3 floats behind a row
// of src, writes up to 3 behind a row of dst.
static void transpose(const float* src, ptrdiff_t lds, float* dst, ptrdiff_t ldd, int64_t rows,
                      int64_t columns) {
  for (int64_t i = 0; i < rows; i += 4) {
    const float* r0 = src + i * lds;
    const float* r1 = i + 1 < rows ? r0 + lds : r0;
    const float* r2 = i + 2 < rows ? r1 + lds : r1;
    const float* r3 = i + 3 < rows ? r2 + lds : r2;
    float* out = dst + i;
    for (int64_t j = 0; j < columns; j += 4) {
      const Quad a = *(const Quad*)(r0 + j), b = *(const Quad*)(r1 + j);
      const Quad c = *(const Quad*)(r2 + j), d = *(const Quad*)(r3 + j);
      const Quad ab0 = __builtin_shuffle(a, b, QuadIndex{0, 4, 1, 5});
      const Quad ab1 = __builtin_shuffle(a, b, QuadIndex{2, 6, 3, 7});
      const Quad cd0 = __builtin_shuffle(c, d, QuadIndex{0, 4, 1, 5});
      const Quad cd1 = __builtin_shuffle(c, d, QuadIndex{2, 6, 3, 7});
      const int64_t left = columns - j;
      *(Quad*)(out + j * ldd) = __builtin_shuffle(ab0, cd0, QuadIndex{0, 1, 4, 5});
      if (left > 1)
        *(Quad*)(out + (j + 1) * ldd) = __builtin_shuffle(ab0, cd0, QuadIndex{2, 3, 6, 7});
      if (left > 2)
        *(Quad*)(out + (j + 2) * ldd) = __builtin_shuffle(ab1, cd1, QuadIndex{0, 1, 4, 5});
      if (left > 3)
        *(Quad*)(out + (j + 3) * ldd) = __builtin_shuffle(ab1, cd1, QuadIndex{2, 3, 6, 7});
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
