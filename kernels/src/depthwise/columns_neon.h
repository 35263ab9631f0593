// int8 depthwise convolution with a kernel of three columns and at most four rows, no dilation
// across and a horizontal stride of one or two, on ISAs that multiply four bytes per lane:
// interleaved columns stay in registers while the kernel moves along.
#pragma once

#include "depthwise/dw_s8.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(__ARM_FEATURE_DOTPROD)

namespace {
struct Column {
  I part[4];
};
// What one row of outputs needs; rows beyond the kernel repeat the last one, their weights are
// zero.
struct ColumnRow {
  const Raw* rows[4];
  Column weights[3];
  const int32_t* bias;
  int block;
};
}  // namespace

LINNET_INLINE Column column_at(const ColumnRow& in, ptrdiff_t pixel) {
  Column c;
  interleave(c.part, in.rows, pixel * kUnit);
  return c;
}

LINNET_INLINE void column_output(const DepthwiseS8Params& p, const ColumnRow& in, const Column& a,
                                 const Column& b, const Column& c, int8_t* y) {
  I sum[4];
  for (int j = 0; j < 4; ++j) {
    sum[j] = dot(load_i(in.bias + j * kLanes), a.part[j], in.weights[0].part[j]);
    sum[j] = dot(sum[j], b.part[j], in.weights[1].part[j]);
    sum[j] = dot(sum[j], c.part[j], in.weights[2].part[j]);
  }
  S8Kernel::store(p, sum, in.block, y, kUnit);
}

static void columns_stride1(const DepthwiseS8Params& p, const ColumnRow& in, int units, int8_t* y) {
  const ptrdiff_t step = p.shape.outputs;
  Column a = column_at(in, 0), b = column_at(in, 1), c;
  int u = 0;
  for (; u + 3 <= units; u += 3, y += 3 * step) {
    c = column_at(in, u + 2);
    column_output(p, in, a, b, c, y);
    a = column_at(in, u + 3);
    column_output(p, in, b, c, a, y + step);
    b = column_at(in, u + 4);
    column_output(p, in, c, a, b, y + 2 * step);
  }
  for (; u < units; ++u, y += step) {
    c = column_at(in, u + 2);
    column_output(p, in, a, b, c, y);
    a = b, b = c;
  }
}

static void columns_stride2(const DepthwiseS8Params& p, const ColumnRow& in, int units, int8_t* y) {
  const ptrdiff_t step = p.shape.outputs;
  Column a = column_at(in, 0);
  int u = 0;
  for (; u + 2 <= units; u += 2, y += 2 * step) {
    const Column c = column_at(in, 2 * u + 2);
    column_output(p, in, a, column_at(in, 2 * u + 1), c, y);
    a = column_at(in, 2 * u + 4);
    column_output(p, in, c, column_at(in, 2 * u + 3), a, y + step);
  }
  if (u < units) column_output(p, in, a, column_at(in, 2 * u + 1), column_at(in, 2 * u + 2), y);
}

static void columns_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const S8Reader reader = {p.zero_in};
  DwRing<Raw> ring;
  const ptrdiff_t size = p.tiles.raw_pixels * (ptrdiff_t)kUnit;
  place_ring(&ring, s, p.tiles, size, w.scratch);
  fill_run(ring.padding, (int)size, reader);
  dw_rows(s, p.tiles, w, [&](const DwTask& t, int image, int i, bool restart) {
    const int8_t* x = p.x + (ptrdiff_t)image * s.height * s.width * s.channels;
    for (int slot = 0; restart && slot < p.tiles.slots; ++slot) ring.held[slot] = -1;
    turn_ring(ring, s, p.tiles.slots, i, [&](int row, Raw* to) {
      copy_row(s, p.tiles, t, x + (ptrdiff_t)row * s.width * s.channels, to, reader);
    });
    ColumnRow in;
    for (int k = 0; k < 4; ++k) in.rows[k] = ring.read[k < s.kernel_h ? k : s.kernel_h - 1];
    for (int k = 0; k < 12; ++k) {
      const ptrdiff_t place = (ptrdiff_t)t.block * 12 + k;
      in.weights[k / 4].part[k % 4] = load_i(p.weights + place * kLanes);
    }
    in.bias = p.bias + (ptrdiff_t)t.block * kUnit;
    in.block = t.block;
    int8_t* y = p.y + ((ptrdiff_t)image * s.out_height + i) * s.out_width * s.outputs;
    y += (ptrdiff_t)t.pixel * s.outputs + t.channel;
    (s.stride_w == 1 ? columns_stride1 : columns_stride2)(p, in, t.units, y);
  });
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
