// int8 depthwise convolution with a kernel of three columns and at most four rows, no dilation
// across and a horizontal stride of one or two, on ISAs that multiply four bytes per lane:
// interleaved columns stay in registers while the kernel moves along.
#pragma once

#include "depthwise/columns_neon64.h"
#include "depthwise/dw_s8.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(__ARM_FEATURE_DOTPROD)

namespace {
struct Column {
  I part[4];
};
struct ColumnWeights {
  Column weights[3];
  const int32_t* bias;
  const float* scale;
};
}  // namespace

template <bool kSmall>
LINNET_INLINE int8x16_t column_output(const ColumnWeights& in, const ByteBounds& bounds,
                                      const Column& a, const Column& b, const Column& c) {
  I sum[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    sum[j] = dot(load_i(in.bias + j * kLanes), a.part[j], in.weights[0].part[j]);
    sum[j] = dot(sum[j], b.part[j], in.weights[1].part[j]);
    sum[j] = dot(sum[j], c.part[j], in.weights[2].part[j]);
    const F scale = load_f(in.scale + j * kLanes);
    sum[j] = kSmall ? scaled_small(sum[j], scale) : to_i_round(to_f(sum[j]) * scale);
  }
  return clipped_s8(sum, bounds);
}

// Rows beyond the kernel's repeat its last one, their weights are zero.
template <bool kSmall>
static void columns_row(const DepthwiseS8Params& p, const ImageRows rows, const ColumnWeights in,
                        int8_t* y) {
  const ptrdiff_t step = p.shape.outputs;
  const ByteBounds bounds = byte_bounds(p.zero_out, p.low, p.high);
  const auto at = [=](int column) __attribute__((always_inline)) {
    const int8_t* places[4];
    for (int k = 0; k < 4; ++k) places[k] = safe_place(rows, k, column);
    Column c;
    interleave(c.part, places, 0);
    return c;
  };
  const auto inside = [=](int column) __attribute__((always_inline)) {
    const int8_t* places[4];
    for (int k = 0; k < 4; ++k) places[k] = rows.row[k] + column * rows.step[k];
    Column c;
    interleave(c.part, places, 0);
    return c;
  };
  const auto out =
      [&](const Column& a, const Column& b, const Column& c)
          __attribute__((always_inline)) { return column_output<kSmall>(in, bounds, a, b, c); };
  const auto put = [=](int j, int8x16_t bytes)
                       __attribute__((always_inline)) { vst1q_s8(y + j * step, bytes); };
  move_columns<Column>(rows, p.shape.stride_w, p.shape.out_width, at, inside, out, put);
}

template <bool kSmall>
static void columns_rows(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  int8_t padding[kUnit];
  for (int n = 0; n < kUnit; ++n) padding[n] = (int8_t)p.zero_in;
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool) {
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    ColumnWeights in;
    for (int k = 0; k < 12; ++k) {
      const ptrdiff_t place = (ptrdiff_t)t.block * 12 + k;
      in.weights[k / 4].part[k % 4] = load_i(p.weights + place * kLanes);
    }
    in.bias = p.bias + (ptrdiff_t)t.block * kUnit;
    in.scale = p.scale + (ptrdiff_t)t.block * kUnit;
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs + t.channel;
    columns_row<kSmall>(p, image_rows(s, x, i, t.channel, padding), in, y);
  });
}

static void columns_s8(const DepthwiseS8Params& p, const Worker& w) {
  if (columns_by_hand(p, w)) return;
  p.small ? columns_rows<true>(p, w) : columns_rows<false>(p, w);
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
