// The fastest that this ISA multiplies and reads: independent chains in registers, long enough to
// hide latency, few enough not to spill.
#include "peak/params.h"
#include "simd/simd.h"

namespace linnet {
namespace LINNET_ISA {
namespace {

constexpr int kChains = 12;
constexpr int64_t kBlock = 4096;

LINNET_INLINE void forget_memory() { asm volatile("" ::: "memory"); }

// Makes the compiler believe that a vector changed, in its register.
LINNET_INLINE void unknown(I& x) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(x));
#else
  asm volatile("" : "+w"(x));
#endif
}

// Without a dot product, pairs of 16-bit numbers are multiplied and then added. No two products
// may have the same operands, else the compiler makes one of them: eight sums and six operands fit
// in sixteen registers.
template <bool has_dot, class V>
LINNET_INLINE int64_t dot_chains(int64_t repeats, const int32_t* operands, int32_t* sum) {
  if constexpr (has_dot) {
    V chains[kChains];
    for (int i = 0; i < kChains; ++i) chains[i] = splat_i(i);
    const V a = load_i(operands), b = load_i(operands + kLanes);
    for (int64_t r = 0; r < repeats; ++r) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) chains[i] = dot_u8s8(chains[i], a, b);
    }
    for (int i = 1; i < kChains; ++i) chains[0] += chains[i];
    *sum = sum_i(chains[0]);
    return repeats * kChains * kLanes * 4;
  } else {
    // Named one by one: gcc keeps arrays of so many vectors in memory.
    V c0 = splat_i(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
    V a = load_i(operands), b = a, p = a, q = a, s = a, t = a;
    for (int64_t r = 0; r < repeats; ++r) {
      unknown(a);
      unknown(b);
      unknown(p);
      unknown(q);
      unknown(s);
      unknown(t);
      c0 += madd16(a, p);
      c1 += madd16(b, p);
      c2 += madd16(a, q);
      c3 += madd16(b, q);
      c4 += madd16(a, s);
      c5 += madd16(b, s);
      c6 += madd16(a, t);
      c7 += madd16(b, t);
    }
    *sum = sum_i(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7);
    return repeats * 8 * kLanes * 2;
  }
}

}  // namespace

void peak_fma_f32(const PeakParams& p, const Worker& worker) noexcept {
  F chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = splat_f((float)i);
  const F a = splat_f(0.5f), b = splat_f(0.25f);
  for (int64_t r = 0; r < p.repeats; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = fma(chains[i], a, b);
  }
  for (int i = 1; i < kChains; ++i) chains[0] += chains[i];
  p.sink[worker.thread] = sum_f(chains[0]);
  p.done[worker.thread] = p.repeats * kChains * kLanes;
}

void peak_dot_s8(const PeakParams& p, const Worker& worker) noexcept {
  int32_t operands[2 * kLanes];
  for (int i = 0; i < 2 * kLanes; ++i) operands[i] = 0x00010001;
  int32_t sum = 0;
  p.done[worker.thread] = dot_chains<kHasDot, I>(p.repeats, operands, &sum);
  p.sink[worker.thread] = (float)sum;
}

void peak_read(const PeakParams& p, const Worker& worker) noexcept {
  const Span part = split(p.bytes, worker, kBlock);
  constexpr int kBytes = kLanes * 4;
  I chains[8];
  for (int i = 0; i < 8; ++i) chains[i] = splat_i(0);
  for (int64_t r = 0; r < p.repeats; ++r) {
    forget_memory();
    for (int64_t at = part.begin; at < part.end; at += 8 * kBytes) {
      const int32_t* data = (const int32_t*)(p.data + at);
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) chains[i] ^= load_i(data + i * kLanes);
    }
  }
  for (int i = 1; i < 8; ++i) chains[0] ^= chains[i];
  p.sink[worker.thread] = (float)sum_i(chains[0]);
  p.done[worker.thread] = p.repeats * (part.end - part.begin);
}

// Each link waits for the one before: its time is a fixed number of cycles, whatever else shares
// the core's units.
void peak_chain(const PeakParams& p, const Worker& worker) noexcept {
  float link = (float)worker.thread;
  for (int64_t r = 0; r < p.repeats; ++r) link = link * 0.5f + 0.25f;
  p.sink[worker.thread] = link;
  p.done[worker.thread] = p.repeats;
}

}  // namespace LINNET_ISA
}  // namespace linnet
