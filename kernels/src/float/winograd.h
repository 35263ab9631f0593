// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): of 6x6 inputs and of the weights 36 sums
// each, one product over the channels for each of the 36, and of those 4x4 outputs; 4 times fewer
// multiplications than windows take.
//
// The points are 0, +-sqrt(1/2), +-sqrt(2) and infinity. With these an output's root mean square
// error is 2.6 times that of a plain float sum over 64 channels (0, +-1, +-2 make it 5.5 times).
#pragma once

#include "float/multiply.h"
#include "float/windows.h"

namespace linnet {
namespace LINNET_ISA {

constexpr float kRootHalf = 0.70710678118654752f;

// The sums of six inputs at the six points.
LINNET_INLINE void winograd_sums(const F (&d)[6], F (&v)[6]) {
  const F half = splat_f(-0.5f), two = splat_f(-2.0f), more = splat_f(-2.5f);
  const F a = splat_f(kRootHalf), b = splat_f(2 * kRootHalf), minus_a = splat_f(-kRootHalf),
          minus_b = splat_f(-2 * kRootHalf);
  const F even1 = fma(two, d[2], d[4]), odd1 = fma(two, d[1], d[3]);
  const F even2 = fma(half, d[2], d[4]), odd2 = fma(half, d[1], d[3]);
  v[0] = fma(more, d[2], d[0] + d[4]);
  v[1] = fma(a, odd1, even1);
  v[2] = fma(minus_a, odd1, even1);
  v[3] = fma(b, odd2, even2);
  v[4] = fma(minus_b, odd2, even2);
  v[5] = fma(more, d[3], d[1] + d[5]);
}

// Four outputs of the products at the six points.
LINNET_INLINE void winograd_outputs(const F (&m)[6], F (&y)[4]) {
  const F a = splat_f(kRootHalf), b = splat_f(2 * kRootHalf);
  const F even1 = m[1] + m[2], odd1 = m[1] - m[2], even2 = m[3] + m[4], odd2 = m[3] - m[4];
  y[0] = m[0] + even1 + even2;
  y[1] = fma(a, odd1, b * odd2);
  y[2] = fma(splat_f(0.5f), even1, even2 + even2);
  y[3] = fma(splat_f(0.5f * kRootHalf), odd1, fma(splat_f(4 * kRootHalf), odd2, m[5]));
}

// Writes the sums of 6x6 pixels, `row` floats apart, as 36 rows of channels `point` floats apart.
static void winograd_input(const float* x, ptrdiff_t row, ptrdiff_t pixel, int64_t channels,
                           float* v, ptrdiff_t point) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    F sums[6][6];
    LINNET_UNROLL for (int j = 0; j < 6; ++j) {
      F column[6], down[6];
      LINNET_UNROLL for (int i = 0; i < 6; ++i) column[i] = load_f(x + i * row + j * pixel + c);
      winograd_sums(column, down);
      LINNET_UNROLL for (int i = 0; i < 6; ++i) sums[i][j] = down[i];
    }
    LINNET_UNROLL for (int i = 0; i < 6; ++i) {
      F across[6];
      winograd_sums(sums[i], across);
      LINNET_UNROLL for (int j = 0; j < 6; ++j) store_f(v + (6 * i + j) * point + c, across[j]);
    }
  }
}

// The part of a tile's outputs that lies in the image.
struct WinogradTile {
  float* y;
  int rows;
  int columns;
};

LINNET_INLINE void winograd_output_lanes(const WinogradF32Params& p, const float* m,
                                         ptrdiff_t point, const WinogradTile& tile, int64_t o) {
  const ptrdiff_t line = static_cast<ptrdiff_t>(p.out_width) * p.outputs;
  const F bias = p.bias != nullptr ? load_f(p.bias + o) : splat_f(0.0f);
  const F low = splat_f(p.low), high = splat_f(p.high);
  const int lanes = p.outputs - o < kLanes ? static_cast<int>(p.outputs - o) : kLanes;
  const bool whole = tile.rows == 4 && tile.columns == 4 && lanes == kLanes;
  F sums[4][6];
  LINNET_UNROLL for (int j = 0; j < 6; ++j) {
    F column[6], down[4];
    LINNET_UNROLL for (int i = 0; i < 6; ++i) column[i] = load_f(m + (6 * i + j) * point + o);
    winograd_outputs(column, down);
    LINNET_UNROLL for (int i = 0; i < 4; ++i) sums[i][j] = down[i];
  }
  float* out = tile.y + o;
  LINNET_UNROLL for (int i = 0; i < 4; ++i, out += line) {
    F y[4];
    winograd_outputs(sums[i], y);
    LINNET_UNROLL for (int j = 0; j < 4; ++j) y[j] = clamp_number(y[j] + bias, low, high);
    if (whole) {
      LINNET_UNROLL for (int j = 0; j < 4; ++j) store_f(out + j * p.outputs, y[j]);
    } else if (i < tile.rows) {
      LINNET_UNROLL for (int j = 0; j < 4; ++j) {
        if (j < tile.columns) store_f(out + j * p.outputs, y[j], lanes);
      }
    }
  }
}

static void winograd_output(const WinogradF32Params& p, const float* m, ptrdiff_t point,
                            const WinogradTile& tile) {
  for (int64_t o = 0; o < p.outputs; o += kLanes) winograd_output_lanes(p, m, point, tile, o);
}

// Copies 6x6 pixels from (top, left) of an image on, zeros where they lie outside.
static void winograd_border(const WinogradF32Params& p, const float* image, int64_t top,
                            int64_t left, float* copy) {
  const int64_t line = static_cast<int64_t>(p.width) * p.channels;
  const int64_t before = left < 0 ? -left : 0;
  const int64_t end = p.width - left < 6 ? (p.width - left < before ? before : p.width - left) : 6;
  for (int64_t i = top; i < top + 6; ++i, copy += 6 * p.channels) {
    if (i < 0 || i >= p.height) {
      zero_run(copy, 6 * p.channels);
      continue;
    }
    zero_run(copy, before * p.channels);
    const float* from = image + i * line + (left + before) * p.channels;
    copy_run(copy + before * p.channels, from, (end - before) * p.channels);
    zero_run(copy + end * p.channels, (6 - end) * p.channels);
  }
}

// Tiles [begin, end) of all images, few enough for the scratch.
static void winograd_block(const WinogradF32Params& p, int64_t begin, int64_t end, float* scratch) {
  const WinogradSizesF32 sizes = winograd_sizes_f32(p);
  float* sums = scratch;
  float* products = sums + 36 * sizes.input_point;
  float* copy = products + 36 * sizes.output_point;
  const ptrdiff_t line = static_cast<ptrdiff_t>(p.width) * p.channels;
  const int64_t size = sizes.down * sizes.across;
  for (int64_t t = begin; t < end; ++t) {
    const float* image = p.x + t / size * p.height * line;
    const int64_t top = t % size / sizes.across * 4 - p.top, left = t % sizes.across * 4 - p.left;
    float* v = sums + (t - begin) * sizes.input_row;
    if (top >= 0 && left >= 0 && top + 6 <= p.height && left + 6 <= p.width) {
      winograd_input(image + top * line + left * p.channels, line, p.channels, p.channels, v,
                     sizes.input_point);
    } else {
      winograd_border(p, image, top, left, copy);
      winograd_input(copy, 6 * p.channels, p.channels, p.channels, v, sizes.input_point);
    }
  }
  ProductF32 product{};
  product.lda = sizes.input_row;
  product.ldc = sizes.output_row;
  product.depth = p.channels;
  product.low = -__builtin_inff();
  product.high = __builtin_inff();
  product.layout = LayoutF32::kPanels;
  for (int point = 0; point < 36; ++point) {
    product.a = sums + point * sizes.input_point;
    product.b = p.w + point * sizes.output_row * p.channels;
    product.c = products + point * sizes.output_point;
    multiply(product, end - begin, 0, sizes.output_row);
  }
  const int64_t out_line = static_cast<int64_t>(p.out_width) * p.outputs;
  float* run = nullptr;  // where the first of this block's tiles lies that are side by side
  for (int64_t t = begin; t < end; ++t) {
    const int64_t row = t % size / sizes.across * 4, column = t % sizes.across * 4;
    WinogradTile tile;
    tile.y = p.y + (t / size * p.out_height + row) * out_line + column * p.outputs;
    tile.rows = p.out_height - row < 4 ? static_cast<int>(p.out_height - row) : 4;
    tile.columns = p.out_width - column < 4 ? static_cast<int>(p.out_width - column) : 4;
    winograd_output(p, products + (t - begin) * sizes.output_row, sizes.output_point, tile);
    if (t == begin || column == 0) run = tile.y;
    if (t + 1 == end || column + 4 >= p.out_width) {
      const float* stop = tile.y + tile.columns * p.outputs;
      finish_rows(p.tails, run - p.y, stop - run, tile.rows, out_line);
    }
  }
}

static void run_winograd(const WinogradF32Params& p, const Worker& worker) {
  const WinogradSizesF32 sizes = winograd_sizes_f32(p);
  const Span part = split(p.batch * sizes.down * sizes.across, worker);
  const int64_t step = even_blocks(part.end - part.begin, sizes.block);
  for (int64_t t = part.begin; t < part.end; t += step) {
    const int64_t end = t + step < part.end ? t + step : part.end;
    winograd_block(p, t, end, static_cast<float*>(worker.scratch));
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
