// Rows of an int8 table as floats.
#pragma once

#include "linear/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void embed_row(const EmbeddingParams& p, int64_t row, float* y) {
  const int64_t at = p.per_row ? row : 0;
  const F scale = splat_f(p.scale[at]);
  const I zero = splat_i(p.zero[at]);
  const int8_t* x = p.table + row * p.width;
  int64_t i = 0;
  for (; i + kLanes <= p.width; i += kLanes) {
    store_f(y + i, to_f(load_s8(x + i) - zero) * scale);
  }
  const int rest = static_cast<int>(p.width - i);
  if (rest > 0) store_f(y + i, to_f(load_s8(x + i, rest) - zero) * scale, rest);
}

static void run_embedding(const EmbeddingParams& p, const Worker& worker) {
  const Span mine = split(p.count, worker);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    int64_t row = p.wide ? static_cast<const int64_t*>(p.indices)[i]
                         : static_cast<const int32_t*>(p.indices)[i];
    if (row < 0) row += p.rows;
    if (row < 0 || row >= p.rows) {
      *worker.error = 1;
      return;
    }
    embed_row(p, row, p.y + i * p.width);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
