// Rows of floats as int8 with a scale each, in the orders that the int8 tiles read.
#pragma once

#include "attention/blocking.h"
#include "float/transpose.h"
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

// Hands over a row, less another where there is one, vector by vector with their places.
template <class Take>
LINNET_INLINE void each_vector(const float* x, const float* less, int64_t count, Take take) {
  int64_t i = 0;
  if (less == nullptr) {
    for (; i + kLanes <= count; i += kLanes) take(i, load_f(x + i));
  } else {
    for (; i + kLanes <= count; i += kLanes) take(i, load_f(x + i) - load_f(less + i));
  }
  if (i < count) take(i, load_less(x, less, i, count));
}

// The steps of up to kLanes rows as int8, and what takes a number there. Steps so small that they
// would vanish stand for rows of zeros.
struct Steps {
  F step;
  float inverse[kLanes];
};

static Steps steps_of_rows(const float* x, int64_t step, const float* less, int rows,
                           int64_t count) {
  F reach[kLanes];
  for (int r = 0; r < rows; ++r, x += step) {
    F most = splat_f(0.0f);
    each_vector(x, less, count, [&](int64_t, F value) { most = max_f(abs_f(value), most); });
    reach[r] = most;
  }
  for (int r = rows; r < kLanes; ++r) reach[r] = splat_f(0.0f);
  const F whole = tops_of(reach) * splat_f(1.0f / 127.0f);
  const I usable = (I)(whole >= splat_f(1e-30f));
  Steps s;
  s.step = select(usable, whole, splat_f(0.0f));
  store_f(s.inverse, select(usable, splat_f(1.0f) / whole, splat_f(0.0f)));
  return s;
}

// One row as int8, less another where there is one. Writes up to a vector beyond.
LINNET_INLINE void bytes_of_row(int8_t* to, const float* x, const float* less, int64_t count,
                                float factor) {
  const F inverse = splat_f(factor);
  each_vector(x, less, count,
              [&](int64_t i, F value) { store_s8(to + i, to_i_round(value * inverse)); });
}

// Mean of rows.
static void mean_row(float* mean, const float* x, int64_t step, int64_t rows, int64_t count) {
  constexpr int kTogether = 4;
  const F share = splat_f(1.0f / static_cast<float>(rows > 0 ? rows : 1));
  int64_t i = 0;
  for (; i + kTogether * kLanes <= count; i += kTogether * kLanes) {
    F sum[kTogether];
    for (int j = 0; j < kTogether; ++j) sum[j] = splat_f(0.0f);
    for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (int j = 0; j < kTogether; ++j) sum[j] = sum[j] + load_f(x + r * step + i + j * kLanes);
    }
    for (int j = 0; j < kTogether; ++j) store_f(mean + i + j * kLanes, sum[j] * share);
  }
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    F first = splat_f(0.0f), second = first;
    for (int64_t r = 0; r < rows; ++r) {
      first = first + load_f(x + r * step + i);
      second = second + load_f(x + r * step + i + kLanes);
    }
    store_f(mean + i, first * share);
    store_f(mean + i + kLanes, second * share);
  }
  for (; i < count; i += kLanes) {
    F sum = splat_f(0.0f);
    for (int64_t r = 0; r < rows; ++r) sum = sum + load_less(x + r * step, nullptr, i, count);
    store_f(mean + i, sum * share);
  }
}

// Rows of queries, `to_step` apart, in the form that tiles broadcast, shifted; writes their steps,
// up to a whole vector.
static void query_rows(uint8_t* to, int64_t to_step, float* steps, const float* x, int64_t step,
                       int64_t rows, int64_t count) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    const int some = static_cast<int>(rows - row < kLanes ? rows - row : kLanes);
    const Steps s = steps_of_rows(x, step, nullptr, some, count);
    store_f(steps + row, s.step);
    for (int r = 0; r < some; ++r, x += step, to += to_step) {
      const F inverse = splat_f(s.inverse[r]);
      each_vector(x, nullptr, count, [&](int64_t i, F value) {
        const I q = to_i_round(value * inverse);
        if constexpr (kLayout.element == 1) {
          store_u8(to + i, q + splat_i(kLayout.shift));
        } else {
          *(Half*)(to + 2 * i) = __builtin_convertvector(q, Half);
        }
      });
      end_row(to, count);
    }
  }
}

// Keys [0, count) of one head as columns, with what the queries' shift adds to their sums. `less`,
// null or a row that is subtracted from all keys: it moves all scores of a query alike, and without
// what keys have in common, rounding costs less.
static void pack_keys(int8_t* panels, int32_t* bias, float* scale, const float* k, int64_t step,
                      const float* less, int64_t count, int64_t depth) {
  constexpr int group = kLayout.group;
  const int64_t panel = panel_bytes(1, depth, kLayout);
  constexpr int64_t kRow = kDeepestBytes + 64;
  int8_t bytes[kLanes * kRow];
  for (int64_t first = 0; first < count; first += kLanes) {
    const int some = static_cast<int>(count - first < kLanes ? count - first : kLanes);
    const Steps s = steps_of_rows(k, step, less, some, depth);
    store_f(scale + first, s.step);
    int8_t* row = bytes;
    for (int r = 0; r < some; ++r, k += step, row += kRow) {
      bytes_of_row(row, k, less, depth, s.inverse[r]);
      for (int64_t d = depth; d < padded(depth, group); ++d) row[d] = 0;
    }
    int8_t* to = panels + first / kPanel * panel + first % kPanel * group;
    if constexpr (group == sizeof(float)) {
      transpose((const float*)bytes, kRow / group, (float*)to, kPanel, some,
                padded(depth, group) / group);
    } else {
      for (int r = 0; r < some; ++r, to += group) {
        for (int64_t d = 0; d < depth; d += group) {
          memcpy(to + d * kPanel, bytes + r * kRow + d, group);
        }
      }
    }
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
  int8_t bytes[group * (kDeepestBytes + 64)];
  for (int64_t start = 0; start < count; start += block, panels += columns / kPanel * panel) {
    const int64_t stop = count - start < block ? count : start + block;
    for (int64_t first = start; first < stop; first += kLanes) {
      const int64_t end = stop - first < kLanes ? stop : first + kLanes;
      const Steps s =
          steps_of_rows(v + first * step, step, less, static_cast<int>(end - first), depth);
      store_f(scale + first, s.step);
      for (int64_t key = first; key < end; key += group) {
        const int rows = end - key < group ? static_cast<int>(end - key) : group;
        for (int g = 0; g < rows; ++g) {
          bytes_of_row(bytes + g * columns, v + (key + g) * step, less, depth,
                       s.inverse[key + g - first]);
        }
        int8_t* to = panels + (key - start) * kPanel;
        for (int64_t column = 0; column < columns; column += kPanel, to += panel) {
          pack_lane(to, bytes + column, columns, rows, kPanel);
        }
      }
    }
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
