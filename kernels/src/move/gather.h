// Copies of runs named by indices.
#pragma once

#include "move/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

static void gather_nest(const GatherParams& p, const Worker& w) {
  const int32_t* narrow = static_cast<const int32_t*>(p.indices);
  const int64_t* wide = static_cast<const int64_t*>(p.indices);
  const Span part = split(p.batches * p.middle * p.count, w);
  for (int64_t unit = part.begin; unit < part.end; ++unit) {
    const int64_t line = unit / p.count, i = unit % p.count;
    const int64_t place = p.batched ? line / p.middle * p.count + i : i;
    int64_t index = p.wide ? wide[place] : narrow[place];
    if (index < 0) index += p.extent;
    if (index < 0 || index >= p.extent) {
      __atomic_store_n(w.error, 1, __ATOMIC_RELAXED);
      continue;
    }
    memcpy(p.target + unit * p.run, p.source + (line * p.extent + index) * p.run, (size_t)p.run);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
