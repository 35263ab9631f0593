// The float half of the NEON vocabulary for aarch64.
#pragma once

namespace linnet {
namespace LINNET_ISA {

#if defined(__ARM_FEATURE_DOTPROD)
constexpr bool kHasDotS8 = true;
LINNET_INLINE I dot_s8s8(I c, I a, I b) {
  return (I)vdotq_s32(raw(c), vreinterpretq_s8_s32(raw(a)), vreinterpretq_s8_s32(raw(b)));
}
#else
constexpr bool kHasDotS8 = false;
#endif

typedef float32x4_t F;

LINNET_INLINE F load_f(const float* p) { return vld1q_f32(p); }
LINNET_INLINE void store_f(float* p, F x) { vst1q_f32(p, x); }
LINNET_INLINE F splat_f(float x) { return vdupq_n_f32(x); }
LINNET_INLINE F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
LINNET_INLINE F min_f(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
LINNET_INLINE F max_f(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LINNET_INLINE F to_f(I x) { return vcvtq_f32_s32(raw(x)); }
LINNET_INLINE I to_i_round(F x) { return (I)vcvtnq_s32_f32(x); }
LINNET_INLINE I to_i_trunc(F x) { return (I)vcvtq_s32_f32(x); }
LINNET_INLINE I as_i(F x) { return (I)vreinterpretq_s32_f32(x); }
LINNET_INLINE F as_f(I x) { return vreinterpretq_f32_s32(raw(x)); }
LINNET_INLINE F select(I mask, F a, F b) { return vbslq_f32((uint32x4_t)mask, a, b); }
LINNET_INLINE F abs_f(F x) { return vabsq_f32(x); }
LINNET_INLINE F sqrt_f(F x) { return vsqrtq_f32(x); }
LINNET_INLINE F floor_f(F x) { return vrndmq_f32(x); }
LINNET_INLINE int32x4_t add_pairs(int32x4_t low, int32x4_t high) { return vpaddq_s32(low, high); }

}  // namespace LINNET_ISA
}  // namespace linnet
