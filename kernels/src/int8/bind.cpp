// Python registration of the int8 kernels.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/methods.h"
#include "int8/cost.h"
#include "int8/pack.h"

namespace linnet {
namespace {

using Triple = std::array<int32_t, 3>;

// Narrower images fill tiles better when windows of several rows are copied side by side, unless
// the copying outweighs the products.
constexpr int32_t kLeastBandColumns = 8;
constexpr int32_t kLeastBandColumnsSmall = 3;
constexpr int64_t kSmallWeights = 48 * 1024;
// How int16 activations multiply on every ISA.
constexpr LayoutS8 kPairs = layout_s8(ProductS8::words);

// Whether two weights of one 16-bit sum are both -128; see products_neon.h.
bool needs_care(const int8_t* weights, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 16) {
    for (int64_t k = i; k < i + 8; ++k) {
      if (weights[k] == -128 && weights[k + 8] == -128) return true;
    }
  }
  return false;
}

// Notes how large sums can become and what they are scaled to; see OutputS8.
void measure_sums(ConvS8Params& p, const LayoutS8& layout) {
  double largest = 0, largest_output = 0;
  const int64_t channels = p.groups * padded(p.out_channels, kPanel);
  const int8_t* w = p.weights;
  for (int64_t first = 0; first < channels; first += kPanel) {
    int32_t total[kPanel] = {0}, size[kPanel] = {0};
    for (int64_t k = 0; k < p.steps; ++k) {
      for (int n = 0; n < kPanel; ++n) {
        for (int g = 0; g < layout.group; ++g, ++w) total[n] += *w, size[n] += std::abs(*w);
      }
    }
    for (int n = 0; n < kPanel; ++n) {
      // Activations are -0.5 +- 127.5.
      const double most = std::abs(p.output.bias[first + n] - 0.5 * total[n]) + 127.5 * size[n];
      largest = std::max(largest, most);
      largest_output = std::max(largest_output, most * p.output.scale[first + n]);
    }
  }
  p.output.small_sums = largest < 1 << 22;
  p.output.small_outputs = largest_output < 1 << 22;
  p.output.word_outputs = largest_output < (1 << 15) - (1 << 8);
}

// Output columns, then rows, of a band within the cache; at least one row of 12 columns, and no
// fewer than make half of what is copied new (dilated kernels share most of it with the next band).
template <class T>
void size_band(ConvParams<T>& p, int64_t budget, const LayoutS8& layout) {
  const int64_t height = band_height(p, 1);
  p.band_cols = p.out_w;
  const int64_t least = std::max<int64_t>(24, 2 * band_width(p, 1));
  while (p.band_cols > least && band_step(p, layout) * height > budget) {
    p.band_cols = static_cast<int32_t>(padded(p.band_cols / 2, 12));
  }
  const int64_t rows = budget / std::max<int64_t>(band_step(p, layout), 1);
  const int64_t fit = std::max(rows - height, height - 1) / p.stride_h + 1;
  p.band_rows = static_cast<int32_t>(std::clamp<int64_t>(fit, 1, std::max(p.out_h, 1)));
}

// A window of nothing but one pixel at stride 1 reads x as it is.
bool is_pointwise(const std::array<int32_t, 8>& window, const Triple& out, int32_t height,
                  int32_t width, int32_t groups) {
  const bool plain = window[0] == 1 && window[1] == 1 && window[2] == 1 && window[3] == 1 &&
                     window[6] == 0 && window[7] == 0;
  return plain && groups == 1 && out[0] == height && out[1] == width;
}

struct Segments {
  SourceS8 source;
  int32_t count, length;
};

// How a convolution reads its windows; packing follows it.
Segments plan_segments(const std::array<int32_t, 5>& image, const std::array<int32_t, 8>& window,
                       const Triple& out, const LayoutS8& layout) {
  const int32_t channels = image[3], groups = image[4];
  const int32_t kernel_h = window[0], kernel_w = window[1];
  if (is_pointwise(window, out, image[1], image[2], groups)) {
    return {SourceS8::rows, 1, channels};
  }
  const bool merged = groups == 1 && (window[5] == 1 || kernel_w == 1);
  const bool whole = merged || channels % layout.group == 0;
  const int32_t count = merged ? kernel_h : kernel_h * kernel_w;
  const bool reuses = kernel_h > window[2] || kernel_w > window[3];
  const int64_t weights = static_cast<int64_t>(out[2]) * kernel_h * kernel_w * channels;
  const int32_t least = weights > kSmallWeights ? kLeastBandColumns : kLeastBandColumnsSmall;
  // Padding every segment to whole lanes may multiply more zeros than copying windows costs.
  const int64_t length = merged ? kernel_w * channels : channels;
  const bool tight = layout.group <= 4 || lane_steps(count, length, layout) * 4 <=
                                              lane_steps(1, count * length, layout) * 5;
  if (reuses && tight && whole && out[1] >= least) {
    return {SourceS8::band, count, merged ? kernel_w * channels : channels};
  }
  return {SourceS8::windows, 1, kernel_h * kernel_w * channels};
}

OutputS8 output_of(uintptr_t bias, uintptr_t scale, uintptr_t weight_zero, const Triple& bounds) {
  return {at<int32_t>(bias),
          at<float>(scale),
          at<int32_t>(weight_zero),
          bounds[0],
          bounds[1],
          bounds[2],
          false,
          false,
          false};
}

// Where each lane's worth of k lies from a window's start: segment s is in its row s / across,
// s % across pixels from there; `more` lanes are read once more.
template <class T>
const int32_t* make_offsets(Program& program, ConvParams<T>& p, const LayoutS8& layout,
                            const std::vector<int32_t>& more) {
  const int64_t steps = lane_steps(1, p.segment, layout), across = p.segments / p.kernel_h;
  const bool band = p.source == SourceS8::band;
  const int64_t row_step = band ? p.dilation_h * band_step(p, layout) : 0;
  const int64_t pixel_step =
      p.dilation_w * static_cast<int64_t>(p.channels) * p.groups * layout.element;
  p.steps = static_cast<int32_t>(steps * p.segments + static_cast<int64_t>(more.size()));
  auto* offsets = static_cast<int32_t*>(
      program.keep(allocate_aligned(static_cast<size_t>(p.steps) * sizeof(int32_t))));
  const int64_t lane = layout.group * layout.element;
  int32_t* to = offsets;
  for (int64_t s = 0; s < p.segments; ++s) {
    const int64_t start = band ? s / across * row_step + s % across * pixel_step : 0;
    for (int64_t k = 0; k < steps; ++k) *to++ = static_cast<int32_t>(start + lane * k);
  }
  for (const int32_t step : more) *to++ = offsets[step];
  return offsets;
}

struct ConvCall {
  uintptr_t x, y, weights, bias, scale, weight_zero;
  const std::vector<int32_t>& more;
  const std::array<int32_t, 5>& image;
  const std::array<int32_t, 8>& window;
  const Triple& out;
  const std::array<int64_t, 3>& steps;
  int32_t zero;
  const Triple& bounds;
};

// Fills in what convolutions of every kind of activations have in common; returns their cost.
template <class T>
Cost fill_conv(Program& program, ConvParams<T>& p, const ConvCall& call, const LayoutS8& layout) {
  const auto& [x, y, weights, bias, scale, weight_zero, more, image, window, out, steps, zero,
               bounds] = call;
  const Segments segments = plan_segments(image, window, out, layout);
  p.x = at<T>(x);
  p.y = at<T>(y);
  p.weights = at<int8_t>(weights);
  p.output = output_of(bias, scale, weight_zero, bounds);
  p.y_image = steps[0], p.y_row = steps[1], p.y_pixel = steps[2];
  p.batch = image[0], p.height = image[1], p.width = image[2], p.channels = image[3];
  p.groups = image[4];
  p.kernel_h = window[0], p.kernel_w = window[1], p.stride_h = window[2], p.stride_w = window[3];
  p.dilation_h = window[4], p.dilation_w = window[5], p.top = window[6], p.left = window[7];
  p.out_h = out[0], p.out_w = out[1], p.out_channels = out[2];
  p.zero = zero;
  p.source = segments.source, p.segments = segments.count, p.segment = segments.length;
  const int64_t rows = static_cast<int64_t>(p.batch) * p.out_h * p.out_w;
  const int64_t packed =
      padded(p.out_channels, kPanel) / kPanel * panel_bytes(p.segments, p.segment, layout);
  const int64_t budget = budget_for(packed, widens(program) && sizeof(T) == 1);
  int64_t scratch = kSlack;
  if (p.source == SourceS8::band) {
    size_band(p, budget, layout);
    scratch += band_step(p, layout) * band_height(p, p.band_rows);
  } else {
    p.block = block_rows(rows, p.segment, budget, layout);
    scratch += row_bytes(p.segment, layout) * p.block;
  }
  p.offsets = make_offsets(program, p, layout, more);
  const double macs = static_cast<double>(rows) * p.groups * static_cast<double>(packed);
  return {macs / rate_of(program), static_cast<size_t>(scratch)};
}

// Has the kernel read only the lanes that block-sparse weights hold, `count` in all.
void take_lanes(Program& program, ConvS8Params& p, uintptr_t lanes, uintptr_t starts,
                int64_t count) {
  const auto* from = at<const int32_t>(lanes);
  auto* offsets = static_cast<int32_t*>(
      program.keep(allocate_aligned(static_cast<size_t>(count) * sizeof(int32_t))));
  for (int64_t i = 0; i < count; ++i) offsets[i] = p.offsets[from[i]];
  p.offsets = offsets;
  p.starts = at<const int32_t>(starts);
}

// Scratch for widened weights.
size_t widened_scratch(const Program& program, int64_t steps) {
  return widens(program) ? static_cast<size_t>(widened_bytes(steps)) : 0;
}

int conv_s8(Program& program, uintptr_t x, uintptr_t y, uintptr_t weights, uintptr_t bias,
            uintptr_t scale, const std::vector<int32_t>& more, const std::array<int32_t, 5>& image,
            const std::array<int32_t, 8>& window, const Triple& out,
            const std::array<int64_t, 3>& steps, int32_t zero, const Triple& bounds,
            uintptr_t lanes, uintptr_t starts, int64_t count, uintptr_t weight_zero) {
  const LayoutS8 layout = layout_of(program);
  ConvS8Params p{};
  Cost cost = fill_conv(
      program, p,
      {x, y, weights, bias, scale, weight_zero, more, image, window, out, steps, zero, bounds},
      layout);
  cost.scratch += widened_scratch(program, p.steps);
  if (starts != 0) {
    const int64_t panels = padded(p.out_channels, kPanel) / kPanel;
    cost.nanoseconds *= static_cast<double>(count) / static_cast<double>(panels * p.steps);
    take_lanes(program, p, lanes, starts, count);
    return program.add(Kernel::conv_s8, p, cost);
  }
  if (product_of(program) == ProductS8::sixteens) {
    p.careful =
        needs_care(p.weights, padded(p.out_channels, kPanel) * p.groups * p.steps * layout.group);
  }
  const ProductS8 product = product_of(program);
  if (product == ProductS8::quads || product == ProductS8::eights) measure_sums(p, layout);
  return program.add(Kernel::conv_s8, p, cost);
}

int conv_s16(Program& program, uintptr_t x, uintptr_t y, uintptr_t weights, uintptr_t bias,
             uintptr_t scale, const std::vector<int32_t>& more, const std::array<int32_t, 5>& image,
             const std::array<int32_t, 8>& window, const Triple& out,
             const std::array<int64_t, 3>& steps, int32_t zero, const Triple& bounds,
             uintptr_t wide_bias, int32_t run) {
  ConvS16Params p{};
  Cost cost = fill_conv(
      program, p, {x, y, weights, bias, scale, 0, more, image, window, out, steps, zero, bounds},
      kPairs);
  cost.nanoseconds *= 2;
  p.wide_bias = at<int64_t>(wide_bias);
  p.run = run;
  return program.add(Kernel::conv_s16, p, cost);
}

int matmul_s8(Program& program, uintptr_t a, uintptr_t b, uintptr_t y, uintptr_t a_offsets,
              uintptr_t b_offsets, uintptr_t scale, const std::array<int32_t, 4>& sizes,
              bool b_transposed, const std::array<int32_t, 2>& zeros, const Triple& bounds) {
  const LayoutS8 layout = layout_of(program);
  MatMulS8Params p{};
  p.a = at<int8_t>(a);
  p.b = at<int8_t>(b);
  p.y = at<int8_t>(y);
  p.a_offsets = at<int64_t>(a_offsets);
  p.b_offsets = at<int64_t>(b_offsets);
  p.output = output_of(0, scale, 0, bounds);
  p.batch = sizes[0], p.rows = sizes[1], p.depth = sizes[2], p.columns = sizes[3];
  p.b_transposed = b_transposed ? 1 : 0;
  p.a_zero = zeros[0], p.b_zero = zeros[1];
  const int64_t columns = padded(p.columns, kPanel);
  const int64_t packed = columns / kPanel * panel_bytes(1, p.depth, layout);
  p.block = block_rows(p.rows, p.depth, budget_for(packed, widens(program)), layout);
  const double macs = static_cast<double>(p.batch) * p.rows * static_cast<double>(packed);
  const int64_t scratch = offset_bytes(lane_steps(1, p.depth, layout)) +
                          padded(p.block * row_bytes(p.depth, layout) + 64, 64) + packed +
                          2 * columns * static_cast<int64_t>(sizeof(int32_t)) + kSlack;
  return program.add(
      Kernel::matmul_s8, p,
      Cost{macs / rate_of(program), static_cast<size_t>(scratch) +
                                        widened_scratch(program, lane_steps(1, p.depth, layout))});
}

PlainS8 plain_of(uintptr_t weights, const std::array<int64_t, 4>& sizes,
                 const Values<int32_t>& zeros) {
  PlainS8 plain{};
  plain.weights = at<const int8_t>(weights);
  plain.outputs = sizes[0], plain.segments = sizes[1], plain.segment = sizes[2];
  plain.groups = sizes[3];
  plain.weight_zeros = {zeros.data(), zeros.bytes() / sizeof(int32_t)};
  return plain;
}

std::vector<int64_t> conv_s8_more(Program& program, uintptr_t weights,
                                  const std::array<int64_t, 4>& sizes,
                                  const Values<int32_t>& zeros) {
  return continued_lanes(plain_of(weights, sizes, zeros), layout_of(program));
}

int64_t pack_conv_s8(Program& program, const std::array<uintptr_t, 4>& to, uintptr_t weights,
                     const std::array<int64_t, 4>& sizes, const Values<int32_t>& zeros,
                     const Values<float>& scales, const Values<int64_t>& bias, int32_t zero,
                     const std::vector<int64_t>& more, bool packed) {
  PlainS8 plain = plain_of(weights, sizes, zeros);
  plain.packed = packed;
  plain.scales = {scales.data(), scales.bytes() / sizeof(float)};
  plain.bias = bias.data();
  plain.zero = zero;
  if (!sums_fit(plain)) return 0;
  pack_s8(plain, layout_of(program), more,
          {at<int8_t>(to[0]), at<int32_t>(to[1]), at<float>(to[2]), at<int32_t>(to[3])});
  return 1;
}

std::vector<int64_t> layout_pair(const LayoutS8& layout) { return {layout.group, layout.shift}; }

std::vector<int64_t> segments_of(Program& program, const std::array<int32_t, 5>& image,
                                 const std::array<int32_t, 8>& window, const Triple& out,
                                 bool sixteen) {
  const Segments s = plan_segments(image, window, out, sixteen ? kPairs : layout_of(program));
  // Lanes of 16 k go on nearly always; sums of copied rows cost less.
  const bool apart = product_of(program) == ProductS8::sixteens && s.source != SourceS8::band;
  return {s.count, s.length, apart};
}

}  // namespace

void bind_int8(Methods& program) {
  program.def_property(
      "layout_s8", +[](Program& self) { return layout_pair(layout_of(self)); },
      "How this program's ISA packs int8 weights: (k bytes per lane, shift of activations).");
  program.def_property(
      "word_layout_s8", +[](Program& self) { return layout_pair(word_layout_of(self)); },
      "The same for linear and recurrent layers.");
  program.def("conv_segments", segments_of, {"image", "window", "out", "sixteen"},
              "The (number, length) of the runs of k that weights are packed in, for int8 or "
              "sixteen-bit activations, and whether zero points of weights rather stay apart than "
              "let lanes go on.");
  program.def("conv_s8_more", conv_s8_more, {"weights", "sizes", "zeros"},
              "The lanes of k that go on behind the others because int8 does not hold weights less "
              "zero points; sizes = (outputs, segments, segment, groups).");
  program.def("pack_conv_s8", pack_conv_s8,
              {"to", "weights", "sizes", "zeros", "scales", "bias?", "zero?", "more?", "packed?"},
              "Write packed weights (unless they are packed), bias, scale and zero points (unless "
              "weights are to be less them: address 0); 0 where an int32 sum could overflow.");
  program.def("conv_s8", conv_s8,
              {"x", "y", "weights", "bias", "scale", "more", "image", "window", "out", "steps",
               "zero", "bounds", "lanes?", "starts?", "count?", "weight_zero?"},
              "Add a convolution; more = lanes of k whose weights go on "
              "behind the others, image = "
              "(batch, height, width, channels of a group, groups), "
              "window = (kernel, stride, dilation, begin), out = (height, width, channels of a "
              "group), steps of y in elements, bounds = (zero, low, high) of y, weight_zero = zero "
              "points that weights are not less. Of block-sparse "
              "weights (kernels of one pixel, one group) `count` lanes are stored: which ones, and "
              "where each panel's start.");
  program.def("conv_s16", conv_s16,
              {"x", "y", "weights", "bias", "scale", "more", "image", "window", "out", "steps",
               "zero", "bounds", "wide_bias", "run"},
              "Add a convolution of int16 activations; wide_bias = biases in int64, run = lanes of "
              "k whose sums fit int32.");
  program.def("matmul_s8", matmul_s8,
              {"a", "b", "y", "a_offsets", "b_offsets", "scale", "sizes", "b_transposed", "zeros",
               "bounds"},
              "Add products of two activations; sizes = (batch, rows, depth, columns), zeros of a "
              "and b, bounds = (zero, low, high) of y.");
}

}  // namespace linnet
