// The linear kernels of one ISA.
// The int8 tiles come with helpers that only convolutions use.
#pragma GCC diagnostic ignored "-Wunused-function"
#define LINNET_WORD_TILES 1
#include "linear/block.h"
#include "linear/dynamic.h"
#include "linear/embedding.h"
#include "linear/rotary.h"

namespace linnet {
namespace LINNET_ISA {

void dynamic_linear(const DynamicLinearParams& p, const Worker& worker) noexcept {
  if (p.rows > 0) run_dynamic(p, worker);
}

void range_f32(const RangeParams& p, const Worker& worker) noexcept {
  if (worker.thread > 0) return;
  const Ranges range = ranges_of(p.x, p.count, 1, p.count);
  p.out[0] = range.low[0];
  p.out[1] = range.high[0];
}

void embedding_s8(const EmbeddingParams& p, const Worker& worker) noexcept {
  run_embedding(p, worker);
}

void block_linear(const BlockLinearParams& p, const Worker& worker) noexcept {
  run_block_linear(p, worker);
}

void rotary_f32(const RotaryParams& p, const Worker& worker) noexcept { run_rotary(p, worker); }

}  // namespace LINNET_ISA
}  // namespace linnet
