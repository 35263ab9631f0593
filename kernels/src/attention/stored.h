// Rows of keys or values as they are stored: float32, float16, or int8 with a scale for each row.
#pragma once

#include "attention/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {

typedef uint16_t Halves __attribute__((vector_size(sizeof(I) / 2), aligned(2), may_alias));
typedef uint32_t Words __attribute__((vector_size(sizeof(I)), may_alias));

// float16 as float32, for numbers that are finite.
LINNET_INLINE F load_half(const uint16_t* p) {
  const I bits = (I) __builtin_convertvector(*(const Halves*)p, Words);
  const F magnitude = as_f((bits & splat_i(0x7fff)) << 13) * splat_f(0x1p112f);
  return as_f(as_i(magnitude) | ((bits & splat_i(0x8000)) << 16));
}

// float32 as float16, half to even; what is greater than the greatest becomes that.
LINNET_INLINE void store_half(uint16_t* p, F x) {
  const I sign = as_i(x) & splat_i(INT32_MIN);
  const F small = min_f(abs_f(x), splat_f(65504.0f)) * splat_f(0x1p-112f);
  const I bits = as_i(small);
  const I even = bits + splat_i(0xfff) + ((bits >> 13) & splat_i(1));
  const Words word = (Words)(even >> 13) | ((Words)sign >> 16);
  *(Halves*)p = __builtin_convertvector(word, Halves);
}

// Rows `step` elements apart.
struct StoredRows {
  const void* data;
  const float* scale;  // null but for int8
  int64_t step;
};

template <Stored kStored>
LINNET_INLINE F load_stored(const StoredRows& rows, int64_t row, int64_t i) {
  const int64_t at = row * rows.step + i;
  if constexpr (kStored == Stored::kFloat32)
    return load_f(static_cast<const float*>(rows.data) + at);
  if constexpr (kStored == Stored::kFloat16) {
    return load_half(static_cast<const uint16_t*>(rows.data) + at);
  }
  return to_f(load_s8(static_cast<const int8_t*>(rows.data) + at));
}

static StoredRows stored_rows(const AttentionParams& p, const void* data, const float* scale,
                              const HeadSteps& steps, int64_t batch, int64_t head, int64_t key) {
  const int64_t at = batch * steps.batch + head * steps.head + key * steps.row;
  const char* first = static_cast<const char*>(data) + at * stored_bytes(p.stored);
  return {first, scale != nullptr ? scale + (batch * p.kv_heads + head) * p.keys + key : nullptr,
          steps.row};
}

static StoredRows stored_keys(const AttentionParams& p, int64_t batch, int64_t head, int64_t key) {
  return stored_rows(p, p.k, p.k_scale, p.k_at, batch, head, key);
}

static StoredRows stored_values(const AttentionParams& p, int64_t batch, int64_t head,
                                int64_t key) {
  return stored_rows(p, p.v, p.v_scale, p.v_at, batch, head, key);
}

// Calls a template member `run<kStored>(arguments)` for what keys and values are stored as.
template <class Work, class... Arguments>
static void by_storage(Stored stored, const Arguments&... arguments) {
  switch (stored) {
    case Stored::kFloat32:
      return Work::template run<Stored::kFloat32>(arguments...);
    case Stored::kFloat16:
      return Work::template run<Stored::kFloat16>(arguments...);
    case Stored::kInt8:
      return Work::template run<Stored::kInt8>(arguments...);
  }
}

namespace {

// Rows as float32, `to_step` apart, whole vectors each.
struct Widen {
  template <Stored kStored>
  static void run(const StoredRows& rows, int64_t count, int64_t depth, float* to,
                  int64_t to_step) {
    for (int64_t row = 0; row < count; ++row) {
      const F scale = splat_f(rows.scale != nullptr ? rows.scale[row] : 1.0f);
      for (int64_t i = 0; i < depth; i += kLanes) {
        store_f(to + row * to_step + i, load_stored<kStored>(rows, row, i) * scale);
      }
    }
  }
};

}  // namespace

}  // namespace LINNET_ISA
}  // namespace linnet
