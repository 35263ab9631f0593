// Python registration of the attention kernels.
#pragma once

#include <array>

#include "attention/blocking.h"
#include "core/python.h"

namespace py = pybind11;

namespace linnet {
namespace {

// `sizes` is (batch, heads, kv_heads, length, keys, depth, value_depth), `mask_strides` in elements
// over (batch, head, row, key).
void add_attention(Program& program, uintptr_t q, uintptr_t k, uintptr_t v, uintptr_t mask,
                   uintptr_t out, std::array<int64_t, 7> sizes, int mask_kind,
                   std::array<int64_t, 4> mask_strides, float scale, bool causal) {
  AttentionF32Params p{};
  p.q = at<const float>(q);
  p.k = at<const float>(k);
  p.v = at<const float>(v);
  p.mask = at<const void>(mask);
  p.out = at<float>(out);
  p.batch = sizes[0];
  p.heads = sizes[1];
  p.kv_heads = sizes[2];
  p.length = sizes[3];
  p.keys = sizes[4];
  p.depth = sizes[5];
  p.value_depth = sizes[6];
  p.mask_batch = mask_strides[0];
  p.mask_head = mask_strides[1];
  p.mask_row = mask_strides[2];
  p.mask_key = mask_strides[3];
  p.scale = scale;
  p.mask_kind = static_cast<MaskKind>(mask_kind);
  p.causal = causal;
  if (p.kv_heads == 0) return;
  const bool base = program.isa() == 0;
  const double scores = static_cast<double>(p.batch * p.heads) * static_cast<double>(p.length) *
                        static_cast<double>(p.keys) * (causal ? 0.5 : 1.0);
  const double depths = static_cast<double>(p.depth + p.value_depth);
  const double time = scores * (depths / (base ? 5.0 : 25.0) + (base ? 4.0 : 1.0));
  const size_t scratch = static_cast<size_t>(attention_floats(p)) * sizeof(float);
  program.add(Kernel::attention_f32, p, Cost{time, scratch});
}

}  // namespace

inline void bind_attention(ProgramClass& program) {
  program.def("attention_f32", add_attention, py::kw_only(), py::arg("q"), py::arg("k"),
              py::arg("v"), py::arg("mask"), py::arg("out"), py::arg("sizes"), py::arg("mask_kind"),
              py::arg("mask_strides"), py::arg("scale"), py::arg("causal"));
}

}  // namespace linnet
