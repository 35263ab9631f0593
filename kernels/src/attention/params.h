// Parameters of the attention kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {

enum class MaskKind : int32_t { kNone, kBool, kFloat };

// out[b, h, i] = sum over j of p[j] * v[b, h / group, j], where p is the softmax over j of
//   scale * q[b, h, i] . k[b, h / group, j]   plus a float mask's value; keys that a bool mask
// holds false for, and with `causal` keys j > i, take no part. A row without keys, or with all of
// them at -inf, is zero. group = heads / kv_heads. The mask's element for (b, h, i, j) is
// mask[b * mask_batch + h * mask_head + i * mask_row + j * mask_key], mask_key being 0 or 1.
// k, v and the mask are read by up to 60 bytes behind their ends.
struct AttentionF32Params {
  const float* q;
  const float* k;
  const float* v;
  const void* mask;
  float* out;
  int64_t batch;
  int64_t heads;
  int64_t kv_heads;
  int64_t length;
  int64_t keys;
  int64_t depth;
  int64_t value_depth;
  int64_t mask_batch;
  int64_t mask_head;
  int64_t mask_row;
  int64_t mask_key;
  float scale;
  MaskKind mask_kind;
  bool causal;
};

}  // namespace linnet
