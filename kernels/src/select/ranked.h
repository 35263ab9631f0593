// Elements by their order: keys, and heaps of them.
#pragma once

#include "select/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

// A number that orders like the element; every NaN is the largest, both zeros are one.
LINNET_INLINE uint64_t key_of(int64_t x) { return (uint64_t)x ^ ((uint64_t)1 << 63); }
LINNET_INLINE uint64_t key_of(int32_t x) { return key_of((int64_t)x); }
LINNET_INLINE uint64_t key_of(float x) {
  if (x != x) return ~(uint64_t)0;
  const float one_zero = x + 0.0f;
  int32_t bits;
  memcpy(&bits, &one_zero, sizeof bits);
  return key_of((int32_t)(bits < 0 ? bits ^ 0x7fffffff : bits));
}

LINNET_INLINE bool before(const Ranked& a, const Ranked& b) {
  return a.key < b.key || (a.key == b.key && a.place < b.place);
}

// Lets the entry at `i` sink until no entry below comes after it.
static void sink(Ranked* heap, int64_t i, int64_t count) {
  const Ranked moved = heap[i];
  for (int64_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
    if (child + 1 < count && before(heap[child], heap[child + 1])) ++child;
    if (!before(moved, heap[child])) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = moved;
}

}  // namespace LINNET_ISA
}  // namespace linnet
