// Softmax and normalization kernels.
#include "norm/group.h"
#include "norm/softmax.h"

namespace linnet {
namespace LINNET_ISA {

void softmax_s8(const SoftmaxS8Params& p, const Worker& worker) noexcept {
  const int64_t inner = p.layout.inner;
  const Span span = split(p.layout.outer * inner, worker);
  for (int64_t r = span.begin; r < span.end; ++r) {
    if (inner == 1) {
      softmax_row_s8(p, p.x + r * p.layout.length, p.y + r * p.layout.length);
    } else {
      const int64_t from = r / inner * p.layout.length * inner + r % inner;
      softmax_column_s8(p, p.x + from, p.y + from, static_cast<int8_t*>(worker.scratch));
    }
  }
}

void softmax_f32(const SoftmaxF32Params& p, const Worker& worker) noexcept {
  softmax_all_f32<false>(p, worker);
}

void log_softmax_f32(const SoftmaxF32Params& p, const Worker& worker) noexcept {
  softmax_all_f32<true>(p, worker);
}

// y = (x - center) * factor * scale + bias over a row.
static void affine_row(const RowNormParams& p, const float* x, float* y, float center,
                       float factor) {
  const F middle = splat_f(center);
  const F gain = splat_f(factor);
  store_row(y, p.length, [&](int64_t i, int lanes) {
    F value = (load_lanes(x + i, lanes) - middle) * gain;
    if (p.scale) value = value * load_lanes(p.scale + i, lanes);
    if (p.bias) value = value + load_lanes(p.bias + i, lanes);
    return value;
  });
}

void layer_norm_f32(const RowNormParams& p, const Worker& worker) noexcept {
  // Rows that take turns: what follows a sum waits long for it.
  constexpr int kTogether = 4;
  const Span rows = split(p.rows, worker);
  const float count = static_cast<float>(p.length);
  for (int64_t first = rows.begin; first < rows.end; first += kTogether) {
    const int some = static_cast<int>(rows.end - first < kTogether ? rows.end - first : kTogether);
    const float* x = p.x + first * p.length;
    float mean[kTogether], gain[kTogether];
    for (int r = 0; r < some; ++r) {
      const float* row = x + r * p.length;
      mean[r] = sum_row(p.length, [&](int64_t i, int lanes) { return load_lanes(row + i, lanes); });
    }
    for (int r = 0; r < some; ++r) {
      const float* row = x + r * p.length;
      mean[r] /= count;
      const F middle = splat_f(mean[r]);
      gain[r] = sum_row(p.length, [&](int64_t i, int lanes) {
        const F away = load_lanes(row + i, lanes) - middle;
        return away * away;
      });
    }
    for (int r = 0; r < some; ++r) {
      const float deviation = __builtin_sqrtf(gain[r] / count + p.epsilon);
      affine_row(p, x + r * p.length, p.y + (first + r) * p.length, mean[r], 1.0f / deviation);
    }
  }
}

void rms_norm_f32(const RowNormParams& p, const Worker& worker) noexcept {
  const Span rows = split(p.rows, worker);
  const float count = static_cast<float>(p.length);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* x = p.x + r * p.length;
    const float squares = sum_row(p.length, [&](int64_t i, int lanes) {
      const F value = load_lanes(x + i, lanes);
      return value * value;
    });
    const float root = __builtin_sqrtf(squares / count + p.epsilon);
    affine_row(p, x, p.y + r * p.length, 0.0f, 1.0f / root);
  }
}

void lp_norm_f32(const LpNormParams& p, const Worker& worker) noexcept {
  const Span rows = split(p.rows, worker);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* x = p.x + r * p.length;
    const float sum = sum_row(p.length, [&](int64_t i, int lanes) {
      const F value = load_lanes(x + i, lanes);
      return p.p == 1 ? abs_f(value) : value * value;
    });
    float norm = p.p == 1 ? sum : __builtin_sqrtf(sum);
    norm = norm < p.epsilon ? p.epsilon : norm;
    const F divisor = splat_f(norm == 0.0f ? 1.0f : norm);
    store_row(p.y + r * p.length, p.length,
              [&](int64_t i, int lanes) { return load_lanes(x + i, lanes) / divisor; });
  }
}

// As many neighboring channels of one sample as there are lanes, or fewer.
static void instance_norm_lanes(const InstanceNormParams& p, int64_t sample, int64_t channel,
                                int lanes) {
  const float* x = p.x + sample * p.length * p.channels + channel;
  float* y = p.y + sample * p.length * p.channels + channel;
  const F count = splat_f(static_cast<float>(p.length));
  BlockSum sum;
  for (int64_t i = 0; i < p.length; ++i) sum.add(load_lanes(x + i * p.channels, lanes));
  const F mean = sum.sum() / count;
  BlockSum squares;
  for (int64_t i = 0; i < p.length; ++i) {
    const F away = load_lanes(x + i * p.channels, lanes) - mean;
    squares.add(away * away);
  }
  const F deviation = sqrt_f(squares.sum() / count + splat_f(p.epsilon));
  const F gain = load_f(p.scale + channel, lanes) / deviation;
  const F shift = load_f(p.bias + channel, lanes);
  for (int64_t i = 0; i < p.length; ++i) {
    const F value = (load_lanes(x + i * p.channels, lanes) - mean) * gain + shift;
    store_lanes(y + i * p.channels, value, lanes);
  }
}

void instance_norm_f32(const InstanceNormParams& p, const Worker& worker) noexcept {
  const int64_t groups = (p.channels + kLanes - 1) / kLanes;
  const Span span = split(p.samples * groups, worker);
  for (int64_t g = span.begin; g < span.end; ++g) {
    const int64_t channel = g % groups * kLanes;
    const int64_t left = p.channels - channel;
    instance_norm_lanes(p, g / groups, channel, static_cast<int>(left < kLanes ? left : kLanes));
  }
}

void group_norm_f32(const GroupNormParams& p, const Worker& worker) noexcept {
  const int64_t together = groups_at_once(p), units = (p.groups + together - 1) / together;
  const Span span = split(p.image.samples * units, worker);
  for (int64_t unit = span.begin; unit < span.end; ++unit) {
    const int64_t first = unit % units * together, left = p.groups - first;
    group_norm_channels(p, unit / units, first, left < together ? left : together,
                        static_cast<float*>(worker.scratch));
  }
}

void scale_shift_f32(const ScaleShiftParams& p, const Worker& worker) noexcept {
  const Span span = split(p.count, worker, 64);
  for (int64_t at = span.begin; at < span.end;) {
    const int64_t phase = at % p.period;
    const int64_t left = span.end - at;
    const int64_t n = p.period - phase < left ? p.period - phase : left;
    const float* scale = p.scale + phase;
    const float* bias = p.bias + phase;
    const float* x = p.x + at;
    store_row(p.y + at, n, [&](int64_t i, int lanes) {
      return fma(load_lanes(x + i, lanes), load_lanes(scale + i, lanes),
                 load_lanes(bias + i, lanes));
    });
    at += n;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
