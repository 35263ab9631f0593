// Parameters of the attention kernels.
#pragma once

#include "core/kernel.h"

namespace linnet {

enum class MaskKind : int32_t { kNone, kBool, kFloat };

// What keys and values are stored as: int8 with a scale for each row, [batch, kv_heads, keys].
enum class Stored : int32_t { kFloat32, kFloat16, kInt8 };

constexpr int64_t stored_bytes(Stored stored) {
  return stored == Stored::kFloat32 ? 4 : stored == Stored::kFloat16 ? 2 : 1;
}

// Heads deeper than this are not made bytes.
constexpr int64_t kDeepestBytes = 256;

// Steps from one batch entry, head and row to the next, in elements.
struct HeadSteps {
  int64_t batch;
  int64_t head;
  int64_t row;
};

// out[b, h, i] = sum over j of p[j] * v[b, h / group, j], where p is the softmax over j of
//   scale * q[b, h, i] . k[b, h / group, j], then softcap * tanh(score / softcap) where softcap >
//   0,
// plus a float mask's value. These keys take no part: those that a bool mask holds false for; from
// lengths[b] on (where given); with `causal` j > at, where at = i, or i + (valid keys - length)
// with `from_end`; with `window` > 0 j <= at - window, and without `causal` j >= at + window.
// A row without keys, or with all of them at -inf, is zero. group = heads / kv_heads. The mask's
// element for (b, h, i, j) is mask[b * mask_batch + h * mask_head + i * mask_row + j * mask_key],
// mask_key being 0 or 1. k, v and the mask are read by up to 60 bytes behind their ends.
//
// attention_s8 computes both products on bytes: q and k rounded to int8 with a scale per row, v
// likewise, probabilities to 0..255 of the greatest in a block of keys; k and v are float32 there.
// attention_few is for few rows: what blocks of keys make of them goes to `partials`, and
// attention_join, the step after it, makes `out` of those.
struct AttentionParams {
  const float* q;
  const void* k;
  const void* v;
  const float* k_scale;
  const float* v_scale;
  const void* mask;
  const int64_t* lengths;
  float* out;
  float* partials;
  HeadSteps q_at;
  HeadSteps k_at;
  HeadSteps v_at;
  HeadSteps out_at;
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
  int64_t window;
  int64_t task_rows;  // query rows of a task, those of all heads of a group in one sequence
  float scale;
  float softcap;
  MaskKind mask_kind;
  Stored stored;
  bool causal;
  bool from_end;
};

// cache[b, h, start[0] + i, :] = x[b, h, i, :]; lengths[b] = start[0] + length. A start below 0, or
// rows beyond the capacity, are bad data. As float16, numbers are cut to its range; as int8, rows
// of at most kDeepestBytes have the scale greatest magnitude / 127, which goes to scale[b, h,
// start[0] + i].
struct CacheAppendParams {
  const float* x;
  const int64_t* start;
  void* cache;
  float* scale;
  int64_t* lengths;
  HeadSteps x_at;
  int64_t batch;
  int64_t heads;
  int64_t length;
  int64_t depth;
  int64_t capacity;
  Stored stored;
};

}  // namespace linnet
