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

// Up to a vector of stored numbers.
LINNET_INLINE I load_stored(const int8_t* p, int n) {
  return n == kLanes ? load_s8(p) : load_s8(p, n);
}
LINNET_INLINE I load_stored(const uint8_t* p, int n) {
  return n == kLanes ? load_u8(p) : load_u8(p, n);
}
LINNET_INLINE I load_stored(const int16_t* p, int n) {
  return n == kLanes ? load_s16(p) : load_s16(p, n);
}
LINNET_INLINE void store_stored(int8_t* p, I x, int n) {
  n == kLanes ? store_s8(p, x) : store_s8(p, x, n);
}
LINNET_INLINE void store_stored(uint8_t* p, I x, int n) {
  n == kLanes ? store_u8(p, x) : store_u8(p, x, n);
}
LINNET_INLINE void store_stored(int16_t* p, I x, int n) {
  n == kLanes ? store_s16(p, x) : store_s16(p, x, n);
}

template <class T, bool kMoves>
static void quantize_run(const float* x, T* y, int64_t n, const QuantizeRun<kMoves>& run) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F real = lanes == kLanes ? load_f(x + i) : load_f(x + i, lanes);
    store_stored(y + i, run(real, i, lanes), lanes);
  }
}

template <class T, bool kMoves>
static void dequantize_run(const T* x, float* y, int64_t n, const float* scale,
                           const int32_t* zero) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int lanes = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F step = kMoves ? load_f(scale + i, lanes) : splat_f(*scale);
    const I origin = kMoves ? load_i(zero + i, lanes) : splat_i(*zero);
    const F real = to_f(load_stored(x + i, lanes) - origin) * step;
    lanes == kLanes ? store_f(y + i, real) : store_f(y + i, real, lanes);
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

template <class T, bool kMoves>
static void quantize_channels(const QuantizeParams& p, const Worker& worker) {
  for_channels<kMoves>(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n) {
    const QuantizeRun<kMoves> run{p.layout.scale + channel, p.layout.zero + channel, splat_i(p.low),
                                  splat_i(p.high)};
    quantize_run<T, kMoves>(p.x + at, static_cast<T*>(p.y) + at, n, run);
  });
}

template <class T>
static void quantize_all(const QuantizeParams& p, const Worker& worker) {
  channels_move(p.layout) ? quantize_channels<T, true>(p, worker)
                          : quantize_channels<T, false>(p, worker);
}

template <class T, bool kMoves>
static void dequantize_channels(const DequantizeParams& p, const Worker& worker) {
  for_channels<kMoves>(p.layout, worker, [&](int64_t at, int64_t channel, int64_t n) {
    dequantize_run<T, kMoves>(static_cast<const T*>(p.x) + at, p.y + at, n,
                              p.layout.scale + channel, p.layout.zero + channel);
  });
}

template <class T>
static void dequantize_all(const DequantizeParams& p, const Worker& worker) {
  channels_move(p.layout) ? dequantize_channels<T, true>(p, worker)
                          : dequantize_channels<T, false>(p, worker);
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
