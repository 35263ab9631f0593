// Python registration of the attention kernels.
#include <array>

#include "attention/blocking.h"
#include "core/methods.h"
#include "int8/cost.h"

namespace linnet {
namespace {

using HeadStepsTuple = std::array<int64_t, 3>;

HeadSteps head_steps(const HeadStepsTuple& steps) { return {steps[0], steps[1], steps[2]}; }

// With fewer keys the packing of a block does not matter.
constexpr int64_t kFewestKeys = 64;

void add_few(Program& program, AttentionParams& p, double scores) {
  const int64_t rows = p.batch * p.heads * p.length;
  const size_t floats = static_cast<size_t>(few_blocks(p) * rows * few_floats(p));
  p.partials = static_cast<float*>(program.keep(allocate_aligned(floats * sizeof(float))));
  const double bytes =
      static_cast<double>(p.depth + p.value_depth) * static_cast<double>(stored_bytes(p.stored));
  program.add(Kernel::attention_few, p,
              Cost{scores * (bytes / 16.0 + 1.0),
                   static_cast<size_t>(few_scratch_floats()) * sizeof(float)});
  program.add(Kernel::attention_join, p, Cost{static_cast<double>(floats) / 16.0, 0});
}

// `sizes` is (batch, heads, kv_heads, length, keys, depth, value_depth), `steps` those of q, k, v
// and out in elements over (batch, head, row), `mask_strides` over (batch, head, row, key).
void add_attention(Program& program, uintptr_t q, uintptr_t k, uintptr_t v, uintptr_t mask,
                   uintptr_t lengths, uintptr_t out, std::array<int64_t, 7> sizes,
                   const std::array<HeadStepsTuple, 4>& steps, int mask_kind,
                   std::array<int64_t, 4> mask_strides, float scale, float softcap, int64_t window,
                   bool causal, bool from_end, bool bytes, int stored, uintptr_t k_scale,
                   uintptr_t v_scale) {
  AttentionParams p{};
  p.q = at<const float>(q);
  p.k = at<const void>(k);
  p.v = at<const void>(v);
  p.k_scale = at<const float>(k_scale);
  p.v_scale = at<const float>(v_scale);
  p.stored = static_cast<Stored>(stored);
  p.mask = at<const void>(mask);
  p.lengths = at<const int64_t>(lengths);
  p.out = at<float>(out);
  p.q_at = head_steps(steps[0]), p.k_at = head_steps(steps[1]);
  p.v_at = head_steps(steps[2]), p.out_at = head_steps(steps[3]);
  p.batch = sizes[0], p.heads = sizes[1], p.kv_heads = sizes[2], p.length = sizes[3];
  p.keys = sizes[4], p.depth = sizes[5], p.value_depth = sizes[6];
  p.mask_batch = mask_strides[0], p.mask_head = mask_strides[1];
  p.mask_row = mask_strides[2], p.mask_key = mask_strides[3];
  p.scale = scale;
  p.softcap = softcap;
  p.window = window;
  p.mask_kind = static_cast<MaskKind>(mask_kind);
  p.causal = causal;
  p.from_end = from_end;
  if (p.kv_heads == 0 || p.batch == 0) return;
  p.task_rows = task_rows(p, program.threads());
  const bool base = program.isa() == 0;
  const double scores = static_cast<double>(p.batch * p.heads) * static_cast<double>(p.length) *
                        static_cast<double>(p.keys) * (causal ? 0.5 : 1.0);
  if (!bytes && has_few_rows(p) && (p.keys > kFewestKeys || p.stored != Stored::kFloat32)) {
    return add_few(program, p, scores);
  }
  const double depths = static_cast<double>(p.depth + p.value_depth);
  const double rate = bytes ? rate_of(program) / 2 : base ? 5.0 : 25.0;
  const double time = scores * (depths / rate + (base ? 4.0 : bytes ? 0.4 : 1.0));
  const int64_t scratch =
      bytes ? attention_s8_scratch(p, word_layout_of(program)).bytes
            : attention_f32_scratch(p).floats * static_cast<int64_t>(sizeof(float));
  program.add(bytes ? Kernel::attention_s8 : Kernel::attention_f32, p,
              Cost{time, static_cast<size_t>(scratch)});
}

// `sizes` is (batch, heads, length, depth, capacity), `steps` those of x.
int cache_append(Program& program, uintptr_t x, uintptr_t start, uintptr_t cache, uintptr_t scale,
                 uintptr_t lengths, const std::array<int64_t, 5>& sizes,
                 const HeadStepsTuple& steps, int stored) {
  CacheAppendParams p{};
  p.x = at<const float>(x);
  p.start = at<const int64_t>(start);
  p.cache = at<void>(cache);
  p.scale = at<float>(scale);
  p.stored = static_cast<Stored>(stored);
  p.lengths = at<int64_t>(lengths);
  p.x_at = head_steps(steps);
  p.batch = sizes[0], p.heads = sizes[1], p.length = sizes[2], p.depth = sizes[3];
  p.capacity = sizes[4];
  const double bytes = 4.0 * static_cast<double>(p.batch * p.heads * p.length * p.depth);
  return program.add(Kernel::cache_append, p, Cost{bytes / 20.0, 0});
}

}  // namespace

void bind_attention(Methods& program) {
  program.def("cache_append", cache_append,
              {"x", "start", "cache", "scale?", "lengths", "sizes", "steps", "stored?"},
              "Append rows to a cache; sizes = (batch, heads, length, depth, capacity).");
  program.def("attention", add_attention,
              {"q", "k", "v", "mask?", "lengths?", "out", "sizes", "steps", "mask_kind?",
               "mask_strides?", "scale", "softcap?", "window?", "causal?", "from_end?", "bytes?",
               "stored?", "k_scale?", "v_scale?"},
              "Add attention in float32, or on bytes; sizes = (batch, heads, kv_heads, length, "
              "keys, depth, value_depth), steps of q, k, v, out over (batch, head, row).");
}

}  // namespace linnet
