// The float half of the NEON vocabulary for armhf. NEON of ARMv7-A flushes subnormals to zero; the
// compiler's own operators on F do not, because GCC does them lane by lane without fast-math.
#pragma once

namespace linnet {
namespace LINNET_ISA {

constexpr bool kHasDotS8 = false;

typedef float32x4_t F;

LINNET_INLINE F load_f(const float* p) { return vld1q_f32(p); }
LINNET_INLINE void store_f(float* p, F x) { vst1q_f32(p, x); }
LINNET_INLINE F splat_f(float x) { return vdupq_n_f32(x); }
LINNET_INLINE F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
LINNET_INLINE I as_i(F x) { return (I)vreinterpretq_s32_f32(x); }
LINNET_INLINE F as_f(I x) { return vreinterpretq_f32_s32(raw(x)); }
LINNET_INLINE F select(I mask, F a, F b) { return vbslq_f32((uint32x4_t)mask, a, b); }
LINNET_INLINE F min_f(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
LINNET_INLINE F max_f(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LINNET_INLINE F to_f(I x) { return vcvtq_f32_s32(raw(x)); }
LINNET_INLINE I to_i_trunc(F x) { return (I)vcvtq_s32_f32(x); }
LINNET_INLINE F abs_f(F x) { return vabsq_f32(x); }
// Adding 2^23 rounds magnitudes below it to whole numbers, ties to even; larger ones are whole.
LINNET_INLINE I to_i_round(F x) {
  const F magic = splat_f(8388608.0f), size = vabsq_f32(x);
  const F whole = vsubq_f32(vaddq_f32(size, magic), magic);
  const uint32x4_t sign = vdupq_n_u32(0x80000000u);
  const F near = vbslq_f32(sign, x, whole);
  return (I)vcvtq_s32_f32(vbslq_f32(vcltq_f32(size, magic), near, x));
}
LINNET_INLINE F sqrt_f(F x) {
  float lanes[4];
  store_f(lanes, x);
  for (int i = 0; i < 4; ++i) lanes[i] = __builtin_sqrtf(lanes[i]);
  return load_f(lanes);
}
// Magnitudes from 2^23 on are whole already, and int32 cannot hold all of them.
LINNET_INLINE F floor_f(F x) {
  const F whole = to_f(to_i_trunc(x));
  const I above = (I)vcgtq_f32(whole, x);
  const F down = vsubq_f32(whole, as_f(above & as_i(splat_f(1.0f))));
  const F near = vbslq_f32(vdupq_n_u32(0x80000000u), x, down);
  return vbslq_f32(vcltq_f32(vabsq_f32(x), splat_f(8388608.0f)), near, x);
}
LINNET_INLINE int32x4_t add_pairs(int32x4_t low, int32x4_t high) {
  return vcombine_s32(vpadd_s32(vget_low_s32(low), vget_high_s32(low)),
                      vpadd_s32(vget_low_s32(high), vget_high_s32(high)));
}

}  // namespace LINNET_ISA
}  // namespace linnet
