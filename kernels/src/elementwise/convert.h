// Float32 to and from bytes, and casts of plain numbers.
#pragma once

#include "elementwise/math.h"
#include "elementwise/params.h"

namespace linnet {
namespace LINNET_ISA {

// One run of elements: parameters move with the element, or are one pair for all.
template <bool kMoves>
struct QuantizeRun {
  const float* scale;
  const int32_t* zero;
  I low, high;

  I operator()(F x, int64_t i, int n) const {
    const F step = kMoves ? load_f(scale + i, n) : splat_f(*scale);
    const I origin = kMoves ? load_i(zero + i, n) : splat_i(*zero);
    const F steps = x / step;
    const F least = to_f(low - origin);
    const F most = to_f(high - origin);
    return to_i_round(clamp_f(select(steps == steps, steps, splat_f(0.0f)), least, most)) + origin;
  }
};

LINNET_INLINE void store_bytes_of(uint8_t* y, I x, int n, bool is_unsigned) {
  if (n >= kLanes) {
    is_unsigned ? store_u8(y, x) : store_s8(reinterpret_cast<int8_t*>(y), x);
  } else {
    is_unsigned ? store_u8(y, x, n) : store_s8(reinterpret_cast<int8_t*>(y), x, n);
  }
}

template <bool kUnsigned, bool kMoves>
static void quantize_run(const float* x, uint8_t* y, int64_t n, const QuantizeRun<kMoves>& run) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F real = lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes);
    store_bytes_of(y + i, run(real, i, lanes), lanes, kUnsigned);
  }
}

template <bool kUnsigned, bool kMoves>
static void dequantize_run(const uint8_t* x, float* y, int64_t n, const float* scale,
                           const int32_t* zero) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const bool full = lanes == kLanes;
    const int8_t* s = reinterpret_cast<const int8_t*>(x + i);
    const I stored = kUnsigned ? (full ? load_u8(x + i) : load_u8(x + i, lanes))
                               : (full ? load_s8(s) : load_s8(s, lanes));
    const F step = kMoves ? load_f(scale + i, lanes) : splat_f(*scale);
    const I origin = kMoves ? load_i(zero + i, lanes) : splat_i(*zero);
    const F real = to_f(stored - origin) * step;
    full ? store_f(y + i, real) : store_f(y + i, real, lanes);
  }
}

// Calls run(element offset, channel, length) over this thread's share of the layout: runs along
// channels where they move, else along inner with one channel's parameters.
template <bool kMoves, class Run>
static void for_channels(const AffineLayout& layout, const Worker& worker, Run run) {
  const int64_t width = kMoves ? layout.channels : layout.inner;
  const Span span = split(layout.outer * layout.channels * layout.inner, worker, 64);
  for (int64_t at = span.begin; at < span.end;) {
    const int64_t inside = at % width;
    const int64_t left = span.end - at;
    const int64_t length = width - inside < left ? width - inside : left;
    run(at, kMoves ? inside : at / width % layout.channels, length);
    at += length;
  }
}

LINNET_INLINE bool channels_move(const AffineLayout& layout) {
  return layout.inner == 1 && layout.channels > 1;
}

template <bool kUnsigned, bool kMoves>
static void quantize_all(const QuantizeParams& p, const Worker& worker) {
  for_channels<kMoves>(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n) {
    const QuantizeRun<kMoves> run{p.layout.scale + channel, p.layout.zero + channel, splat_i(p.low),
                                  splat_i(p.high)};
    quantize_run<kUnsigned, kMoves>(p.x + at, p.y + at, n, run);
  });
}

template <bool kUnsigned, bool kMoves>
static void dequantize_all(const DequantizeParams& p, const Worker& worker) {
  for_channels<kMoves>(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n) {
    dequantize_run<kUnsigned, kMoves>(p.x + at, p.y + at, n, p.layout.scale + channel,
                                      p.layout.zero + channel);
  });
}

template <class To>
struct Converter {
  template <class From>
  static To of(From x) {
    return static_cast<To>(x);
  }
  static To of(float x) {
    constexpr int kBits = 8 * sizeof(To);
    constexpr bool kSigned = static_cast<To>(-1) < static_cast<To>(0);
    constexpr To kMost = static_cast<To>(~uint64_t{0} >> (64 - kBits + (kSigned ? 1 : 0)));
    constexpr To kLeast = kSigned ? static_cast<To>(-kMost - 1) : static_cast<To>(0);
    const float past = static_cast<float>(kMost / 2 + 1) * 2.0f;
    if (x >= past) return kMost;
    if (x > static_cast<float>(kLeast)) return static_cast<To>(x);
    return x == x ? kLeast : static_cast<To>(0);
  }
};

template <>
struct Converter<float> {
  template <class From>
  static float of(From x) {
    return static_cast<float>(x);
  }
};

template <>
struct Converter<bool> {
  template <class From>
  static bool of(From x) {
    return x != static_cast<From>(0);
  }
};

template <class From, class To>
static void cast_all(const CastParams& p, const Worker& worker) {
  const Span span = split(p.count, worker, 64);
  const From* x = static_cast<const From*>(p.x);
  To* y = static_cast<To*>(p.y);
  for (int64_t i = span.begin; i < span.end; ++i) y[i] = Converter<To>::of(x[i]);
}

template <class From>
static void cast_from(const CastParams& p, const Worker& worker) {
  switch (p.to) {
#define LINNET_CASE(name, type) \
  case NumberType::name##_:     \
    return cast_all<From, type>(p, worker);
    LINNET_NUMBER_TYPES(LINNET_CASE)
#undef LINNET_CASE
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
