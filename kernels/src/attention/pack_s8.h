// Rows of floats as int8 with a scale each, in the orders that the int8 tiles read.
#pragma once

#include "attention/blocking.h"
#include "int8/matmul.h"
#include "linear/quantize_row.h"

namespace linnet {
namespace LINNET_ISA {

// The next lanes of a row, less those of another where there is one.
LINNET_INLINE F load_less(const float* x, const float* less, int64_t i, int64_t count) {
  const int lanes = static_cast<int>(count - i < kLanes ? count - i : kLanes);
  F value = lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes);
  if (less == nullptr) return value;
  return value - (lanes == kLanes ? load_f(less + i) : load_f(less + i, lanes));
}

// Greatest magnitude of a row.
LINNET_INLINE float reach_of(const float* x, const float* less, int64_t count) {
  F most = splat_f(0.0f);
  for (int64_t i = 0; i < count; i += kLanes) {
    most = max_f(abs_f(load_less(x, less, i, count)), most);
  }
  return top_of(most);
}

struct Symmetric {
  float step;
  float inverse;
};

// Steps so small that they would vanish stand for a row of zeros.
LINNET_INLINE Symmetric symmetric_of(float reach) {
  const float step = reach * (1.0f / 127.0f);
  if (!(step >= 1e-30f)) return {0.0f, 0.0f};
  return {step, 1.0f / step};
}

// One row as int8, less another where there is one; returns its step. Writes up to a vector beyond.
LINNET_INLINE float bytes_of_row(int8_t* to, const float* x, const float* less, int64_t count) {
  const Symmetric s = symmetric_of(reach_of(x, less, count));
  const F inverse = splat_f(s.inverse);
  for (int64_t i = 0; i < count; i += kLanes) {
    store_s8(to + i, to_i_round(load_less(x, less, i, count) * inverse));
  }
  return s.step;
}

// Mean of rows.
static void mean_row(float* mean, const float* x, int64_t step, int64_t rows, int64_t count) {
  const F share = splat_f(1.0f / static_cast<float>(rows > 0 ? rows : 1));
  for (int64_t i = 0; i < count; i += kLanes) {
    F sum = splat_f(0.0f);
    for (int64_t r = 0; r < rows; ++r) sum = sum + load_less(x + r * step, nullptr, i, count);
    store_f(mean + i, sum * share);
  }
}

// One row of queries in the form that tiles broadcast, shifted; returns its step.
static float query_row(uint8_t* to, const float* x, int64_t count) {
  const Symmetric s = symmetric_of(reach_of(x, nullptr, count));
  const F inverse = splat_f(s.inverse);
  for (int64_t i = 0; i < count; i += kLanes) {
    const int lanes = static_cast<int>(count - i < kLanes ? count - i : kLanes);
    const I q = to_i_round((lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes)) * inverse);
    if constexpr (kLayout.element == 1) {
      store_u8(to + i, q + splat_i(kLayout.shift));
    } else {
      *(Half*)(to + 2 * i) = __builtin_convertvector(q, Half);
    }
  }
  end_row(to, count);
  return s.step;
}

// Keys [0, count) of one head as columns, with what the queries' shift adds to their sums. `less`,
// null or a row that is subtracted from all keys: it moves all scores of a query alike, and without
// what keys have in common, rounding costs less.
static void pack_keys(int8_t* panels, int32_t* bias, float* scale, const float* k, int64_t step,
                      const float* less, int64_t count, int64_t depth) {
  constexpr int group = kLayout.group;
  const int64_t panel = panel_bytes(1, depth, kLayout);
  int8_t bytes[256 + 64];
  for (int64_t key = 0; key < count; ++key, k += step) {
    int8_t* to = panels + key / kPanel * panel + key % kPanel * group;
    scale[key] = bytes_of_row(bytes, k, less, depth);
    for (int64_t d = depth; d < padded(depth, group); ++d) bytes[d] = 0;
    for (int64_t d = 0; d < depth; d += group) memcpy(to + d * kPanel, bytes + d, group);
  }
  const I ones = kHasDot ? splat_i(0x01010101) : splat_i(0x00010001);
  for (int64_t key = 0; key < count; key += kLanes) {
    const int8_t* from = panels + key / kPanel * panel + key % kPanel * group;
    I sum = splat_i(0);
    if constexpr (kLayout.shift != 0) {
      for (int64_t d = 0; d < panel; d += kPanel * group) {
        sum = multiply_add(sum, ones, load_weights(from + d));
      }
    }
    store_i(bias + key, splat_i(0) - sum * splat_i(kLayout.shift));
  }
}

// Values [0, count) of one head, less a row where there is one, as rows, `block` keys after each
// other.
static void pack_values(int8_t* panels, float* scale, const float* v, int64_t step,
                        const float* less, int64_t count, int64_t depth, int64_t block) {
  constexpr int group = kLayout.group;
  const int64_t columns = padded(depth, kPanel);
  const int64_t panel = panel_bytes(1, block, kLayout);
  int8_t bytes[group * (256 + 64)];
  for (int64_t key = 0; key < count; key += group) {
    const int rows = count - key < group ? static_cast<int>(count - key) : group;
    for (int g = 0; g < rows; ++g) {
      scale[key + g] = bytes_of_row(bytes + g * columns, v + (key + g) * step, less, depth);
    }
    int8_t* to = panels + key / block * (columns / kPanel) * panel + key % block * kPanel;
    for (int64_t column = 0; column < columns; column += kPanel, to += panel) {
      pack_lane(to, bytes + column, columns, rows, kPanel);
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
