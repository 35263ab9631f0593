// int8 depthwise convolution of at most four kernel rows on ISAs that multiply four bytes per lane,
// read from the input as it is: a lane holds the taps of one kernel column, and rows that take a
// fourth tap serve two output rows.
//
// By pixel, units are 64 channels and columns stay in registers while the kernel moves along; flat,
// units are 64 consecutive values of an output row, whatever pixels they belong to.
#pragma once

#include "depthwise/dw_s8.h"

namespace linnet {
namespace LINNET_ISA {

#if defined(LINNET_ISA_avx512vnni)

namespace {
struct Column {
  I part[4];
};
// One pass over the image's width: input rows in the order of the taps, and where its one or two
// output rows go (the second is null where there is none).
struct DirectPass {
  const int8_t* rows[4];
  int8_t* y[2];
};
// The weights of one unit.
struct DirectUnit {
  const int32_t* weights;  // [output row][piece][kernel column][unit words]
  const int32_t* bias;
  const float* scale;
  ptrdiff_t row_step;  // words from one output row's weights to the other's
};
}  // namespace

LINNET_INLINE __m512i flipped(__m512i x) {
  return _mm512_xor_si512(x, _mm512_set1_epi8((char)0x80));
}

// Constants of the outputs, held in registers: stores of bytes might change any memory.
namespace {
struct DirectBounds {
  __m512i zero, low, high;
};
}  // namespace
LINNET_INLINE DirectBounds direct_bounds(const DepthwiseS8Params& p) {
  return {_mm512_set1_epi16((short)p.zero_out), _mm512_set1_epi8((char)p.low),
          _mm512_set1_epi8((char)p.high)};
}

LINNET_INLINE __m512i direct_bytes(const DirectBounds& bounds, const I (&sum)[4],
                                   const float* scale) {
  I real[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) real[j] = to_i_round(to_f(sum[j]) * load_f(scale + j * kLanes));
  const __m512i bytes = _mm512_packs_epi16(packed(real[0], real[1], bounds.zero),
                                           packed(real[2], real[3], bounds.zero));
  return _mm512_min_epi8(_mm512_max_epi8(bytes, bounds.low), bounds.high);
}

// By pixel -----------------------------------------------------------------------------------

// What a pass over pixels holds in registers.
namespace {
struct PixelPass {
  DirectPass rows;
  DirectUnit unit;
  DirectBounds bounds;
  int width;
  ptrdiff_t channels;
  int32_t padding;
};
}  // namespace
LINNET_INLINE PixelPass pixel_pass(const DepthwiseS8Params& p, const DirectPass& rows,
                                   const DirectUnit& unit) {
  return {rows,
          unit,
          direct_bounds(p),
          p.shape.width,
          p.shape.channels,
          (int32_t)(0x01010101u * (uint32_t)(p.zero_in + 128))};
}

// Taps of the pixel at column x, the first kTapRows of a lane.
template <int kTapRows>
LINNET_INLINE Column pixel_column(const PixelPass& pass, int x) {
  Column c;
  if (__builtin_expect((unsigned)x >= (unsigned)pass.width, 0)) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) c.part[j] = splat_i(pass.padding);
    return c;
  }
  const ptrdiff_t at = x * pass.channels;
  const __m512i a = flipped(_mm512_loadu_si512(pass.rows.rows[0] + at));
  const __m512i b = flipped(_mm512_loadu_si512(pass.rows.rows[1] + at));
  const __m512i third = flipped(_mm512_loadu_si512(pass.rows.rows[2] + at));
  __m512i fourth = third;
  if constexpr (kTapRows == 4) fourth = flipped(_mm512_loadu_si512(pass.rows.rows[3] + at));
  interleave_taps(c.part, a, b, third, fourth);
  return c;
}

template <int kRows, int kPieces>
LINNET_INLINE void pixel_outputs(const PixelPass& pass, const Column& a, const Column& b,
                                 const Column& c, ptrdiff_t at) {
  const DirectUnit& unit = pass.unit;
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    const int32_t* w = unit.weights + r * unit.row_step;
    I sum[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      sum[j] = load_i(unit.bias + j * kLanes);
#pragma GCC unroll 2
      for (int piece = 0; piece < kPieces; ++piece) {
        const int32_t* words = w + piece * 3 * kUnit + j * kLanes;
        sum[j] = dot(sum[j], a.part[j], load_i(words));
        sum[j] = dot(sum[j], b.part[j], load_i(words + kUnit));
        sum[j] = dot(sum[j], c.part[j], load_i(words + 2 * kUnit));
      }
    }
    _mm512_storeu_si512(pass.rows.y[r] + at, direct_bytes(pass.bounds, sum, unit.scale));
  }
}

// Output columns first, first + step ...; input columns lie `step` apart too.
template <int kRows, int kPieces>
static void pixels_stride1(const DepthwiseS8Params& p, const DirectPass& rows,
                           const DirectUnit& unit, int first, int step) {
  const PixelPass pass = pixel_pass(p, rows, unit);
  constexpr int kTapRows = kRows == 2 ? 4 : 3;
  const ptrdiff_t outputs = p.shape.outputs, next = outputs * step;
  int x = first - p.shape.left, count = (p.shape.out_width - first + step - 1) / step;
  ptrdiff_t at = first * outputs;
  Column a = pixel_column<kTapRows>(pass, x), c;
  Column b = pixel_column<kTapRows>(pass, x + step);
  x += 2 * step;
  for (; count >= 3; count -= 3, x += 3 * step, at += 3 * next) {
    c = pixel_column<kTapRows>(pass, x);
    pixel_outputs<kRows, kPieces>(pass, a, b, c, at);
    a = pixel_column<kTapRows>(pass, x + step);
    pixel_outputs<kRows, kPieces>(pass, b, c, a, at + next);
    b = pixel_column<kTapRows>(pass, x + 2 * step);
    pixel_outputs<kRows, kPieces>(pass, c, a, b, at + 2 * next);
  }
  if (count >= 1) {
    c = pixel_column<kTapRows>(pass, x);
    pixel_outputs<kRows, kPieces>(pass, a, b, c, at);
  }
  if (count == 2) {
    a = pixel_column<kTapRows>(pass, x + step);
    pixel_outputs<kRows, kPieces>(pass, b, c, a, at + next);
  }
}

template <int kRows, int kPieces>
static void pixels_stride2(const DepthwiseS8Params& p, const DirectPass& rows,
                           const DirectUnit& unit) {
  const PixelPass pass = pixel_pass(p, rows, unit);
  constexpr int kTapRows = kRows == 2 ? 4 : 3;
  const ptrdiff_t outputs = p.shape.outputs;
  int x = -p.shape.left, count = p.shape.out_width;
  ptrdiff_t at = 0;
  Column a = pixel_column<kTapRows>(pass, x);
  for (; count > 0; --count, x += 2, at += outputs) {
    const Column b = pixel_column<kTapRows>(pass, x + 1);
    const Column c = pixel_column<kTapRows>(pass, x + 2);
    pixel_outputs<kRows, kPieces>(pass, a, b, c, at);
    a = c;
  }
}

template <int kRows, int kPieces>
static void direct_pixels(const DepthwiseS8Params& p, const DirectPass& pass,
                          const DirectUnit& unit) {
  if (p.shape.stride_w == 2) return pixels_stride2<kRows, kPieces>(p, pass, unit);
  for (int first = 0; first < p.shape.dilation_w && first < p.shape.out_width; ++first) {
    pixels_stride1<kRows, kPieces>(p, pass, unit, first, p.shape.dilation_w);
  }
}

// Flat ---------------------------------------------------------------------------------------

// Bits of the values [at, at + 64) of a row of `size` values that lie inside it.
LINNET_INLINE __mmask64 inside(ptrdiff_t at, ptrdiff_t size) {
  const ptrdiff_t begin = at < 0 ? -at : 0, end = size - at;
  if (begin >= kUnit || end <= 0) return 0;
  const uint64_t below = end >= kUnit ? ~0ull : (1ull << end) - 1;
  return below >> begin << begin;
}

// How the taps of one kernel column of a unit are read: values from a place on in every row, at an
// edge those outside it replaced by padding; `pick` gathers them at a stride of two.
namespace {
struct FlatReader {
  __m512i padding, pick;
  ptrdiff_t size;
};
}  // namespace

template <bool kPick, bool kEdge>
LINNET_INLINE __m512i flat_taps(const FlatReader& in, const int8_t* row, ptrdiff_t at) {
  __m512i low, high = in.padding;
  if constexpr (kEdge) {
    low = _mm512_mask_loadu_epi8(in.padding, inside(at, in.size), row + at);
    if (kPick) {
      high = _mm512_mask_loadu_epi8(in.padding, inside(at + kUnit, in.size), row + at + kUnit);
    }
  } else {
    low = _mm512_loadu_si512(row + at);
    if (kPick) high = _mm512_loadu_si512(row + at + kUnit);
  }
  return flipped(kPick ? _mm512_permutex2var_epi64(low, in.pick, high) : low);
}

// `kernel_w` is a constant where the loop over it is to be unrolled.
template <int kRows, int kPieces, bool kPick, bool kEdge>
LINNET_INLINE void flat_sums(I (&sum)[kRows][4], const FlatReader& in, const DirectPass& pass,
                             const DirectUnit& unit, ptrdiff_t from, ptrdiff_t step, int kernel_w) {
  const int32_t* w = unit.weights;
#pragma GCC unroll 3
  for (int kx = 0; kx < kernel_w; ++kx, w += kUnit, from += step) {
    I taps[4];
    interleave_taps(taps, flat_taps<kPick, kEdge>(in, pass.rows[0], from),
                    flat_taps<kPick, kEdge>(in, pass.rows[1], from),
                    flat_taps<kPick, kEdge>(in, pass.rows[2], from),
                    flat_taps<kPick, kEdge>(in, pass.rows[3], from));
#pragma GCC unroll 4
    for (int k = 0; k < kRows * kPieces; ++k) {
      const int32_t* words = w + (ptrdiff_t)k * kernel_w * kUnit;
      I* to = sum[k / kPieces];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) to[j] = dot(to[j], taps[j], load_i(words + j * kLanes));
    }
  }
}

template <int kRows, int kPieces, bool kPick>
LINNET_INLINE void flat_unit(const FlatReader& in, const DirectBounds& bounds,
                             const DirectPass& pass, const DirectUnit& unit, ptrdiff_t from,
                             ptrdiff_t step, int kernel_w, ptrdiff_t at, ptrdiff_t left) {
  I sum[kRows][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const I bias = load_i(unit.bias + j * kLanes);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) sum[r][j] = bias;
  }
  const ptrdiff_t end = from + (kernel_w - 1) * step + (kPick ? 2 : 1) * kUnit;
  if (from < 0 || end > in.size) {
    flat_sums<kRows, kPieces, kPick, true>(sum, in, pass, unit, from, step, kernel_w);
  } else if (kernel_w == 3) {
    flat_sums<kRows, kPieces, kPick, false>(sum, in, pass, unit, from, step, 3);
  } else {
    flat_sums<kRows, kPieces, kPick, false>(sum, in, pass, unit, from, step, kernel_w);
  }
  const __mmask64 mask = left >= kUnit ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    _mm512_mask_storeu_epi8(pass.y[r] + at, mask, direct_bytes(bounds, sum[r], unit.scale));
  }
}

template <int kRows, int kPieces, bool kPick>
static void flat_row(const DepthwiseS8Params& p, const DirectPass& given, const DirectUnit& first,
                     ptrdiff_t unit_words) {
  const DepthwiseShape s = p.shape;
  const DirectPass pass = given;
  const ptrdiff_t size = (ptrdiff_t)s.out_width * s.outputs, begin = (ptrdiff_t)s.left * s.channels;
  const ptrdiff_t step = (ptrdiff_t)s.dilation_w * s.channels;
  const DirectBounds bounds = direct_bounds(p);
  const int64_t* picks = p.picks;
  const int cycle = p.tiles.cycle;
  FlatReader in;
  in.padding = _mm512_set1_epi8((char)p.zero_in);
  in.pick = in.padding;
  in.size = (ptrdiff_t)s.width * s.channels;
  DirectUnit unit = first;
  int turn = 0;
  for (ptrdiff_t at = 0; at < size; at += kUnit) {
    ptrdiff_t from = at - begin;
    if constexpr (kPick) {
      from += (int)at / s.channels * (ptrdiff_t)s.channels;
      in.pick = _mm512_loadu_si512(picks + turn * 8);
    }
    flat_unit<kRows, kPieces, kPick>(in, bounds, pass, unit, from, step, s.kernel_w, at, size - at);
    unit.weights += unit_words, unit.bias += kUnit, unit.scale += kUnit;
    if (++turn == cycle) turn = 0, unit = first;
  }
}

template <int kRows, int kPieces>
static void flat_row(const DepthwiseS8Params& p, const DirectPass& pass, const DirectUnit& first,
                     ptrdiff_t unit_words) {
  if (p.shape.stride_w == 2) return flat_row<kRows, kPieces, true>(p, pass, first, unit_words);
  return flat_row<kRows, kPieces, false>(p, pass, first, unit_words);
}

// --------------------------------------------------------------------------------------------

template <int kRows>
static void direct_unit(const DepthwiseS8Params& p, DirectPass pass, int block) {
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t per_row = (ptrdiff_t)p.pieces * s.kernel_w * kUnit;
  DirectUnit unit;
  unit.row_step = per_row;
  unit.weights = p.weights + (ptrdiff_t)block * p.rows * per_row;
  unit.bias = p.bias + (ptrdiff_t)block * kUnit;
  unit.scale = p.scale + (ptrdiff_t)block * kUnit;
  if (p.tiles.flat) {
    const ptrdiff_t words = p.rows * per_row;
    if (p.pieces == 1) return flat_row<kRows, 1>(p, pass, unit, words);
    return flat_row<kRows, 2>(p, pass, unit, words);
  }
  ptrdiff_t channel = (ptrdiff_t)block * kUnit;
  if (channel > s.outputs - kUnit) channel = s.outputs - kUnit;
  for (int k = 0; k < 4; ++k) pass.rows[k] += channel;
  for (int r = 0; r < kRows; ++r) pass.y[r] += channel;
  if (p.pieces == 1) return direct_pixels<kRows, 1>(p, pass, unit);
  return direct_pixels<kRows, 2>(p, pass, unit);
}

// Output rows i and i + dilation_h of an image; the latter only where `pair`.
static DirectPass direct_pass(const DepthwiseS8Params& p, const int8_t* padding, int64_t image,
                              int i, bool pair) {
  const DepthwiseShape& s = p.shape;
  const ptrdiff_t width = (ptrdiff_t)s.width * s.channels, out = (ptrdiff_t)s.out_width * s.outputs;
  const int8_t* x = p.x + image * s.height * width;
  DirectPass pass;
  for (int k = 0; k < 4; ++k) {
    const int tap = k < s.kernel_h || pair ? k : s.kernel_h - 1;
    const int64_t row = (int64_t)i * s.stride_h - s.top + (int64_t)tap * s.dilation_h;
    pass.rows[k] = row < 0 || row >= s.height ? padding : x + row * width;
  }
  pass.y[0] = p.y + (image * s.out_height + i) * out;
  pass.y[1] = pass.y[0] + s.dilation_h * out;
  return pass;
}

// Output rows of one residue of the vertical dilation pair up; threads share the pairs' units.
static void direct_s8(const DepthwiseS8Params& p, const Worker& w) {
  const DepthwiseShape& s = p.shape;
  const int apart = p.rows == 2 ? s.dilation_h : 1, span = p.rows * apart;
  const int passes =
      s.out_height / span * apart + (s.out_height % span < apart ? s.out_height % span : apart);
  const int blocks = p.tiles.flat ? 1 : p.tiles.blocks;
  const Span part = split((int64_t)s.batch * passes * blocks, w);
  int8_t* padding = static_cast<int8_t*>(w.scratch);
  memset(padding, p.zero_in, (size_t)s.width * s.channels + kUnit);
  if (part.begin >= part.end) return;
  int block = (int)(part.begin % blocks);
  int index = (int)(part.begin / blocks % passes);
  int64_t image = part.begin / blocks / passes;
  for (int64_t left = part.end - part.begin; left > 0; --left) {
    const int i = apart == 1 ? index * span : index / apart * span + index % apart;
    const bool pair = p.rows == 2 && i + apart < s.out_height;
    const DirectPass pass = direct_pass(p, padding, image, i, pair);
    pair ? direct_unit<2>(p, pass, block) : direct_unit<1>(p, pass, block);
    if (++block < blocks) continue;
    block = 0;
    if (++index < passes) continue;
    index = 0;
    ++image;
  }
}

#endif

}  // namespace LINNET_ISA
}  // namespace linnet
