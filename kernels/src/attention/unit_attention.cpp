// The attention kernels of one ISA.
// The int8 tiles come with helpers that only convolutions use.
#pragma GCC diagnostic ignored "-Wunused-function"
#define LINNET_WORD_TILES 1
#include "attention/cache.h"
#include "attention/few.h"
#include "attention/flash.h"
#include "attention/int8.h"

namespace linnet {
namespace LINNET_ISA {

void attention_f32(const AttentionParams& p, const Worker& worker) noexcept {
  run_attention(p, worker);
}

void attention_s8(const AttentionParams& p, const Worker& worker) noexcept {
  run_attention_s8(p, worker);
}

void attention_few(const AttentionParams& p, const Worker& worker) noexcept {
  run_attention_few(p, worker);
}

void attention_join(const AttentionParams& p, const Worker& worker) noexcept {
  run_attention_join(p, worker);
}

void cache_append(const CacheAppendParams& p, const Worker& worker) noexcept {
  run_cache_append(p, worker);
}

}  // namespace LINNET_ISA
}  // namespace linnet
