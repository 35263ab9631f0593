// Python registration of the block-sparse kernels.
#pragma once

#include <array>

#include "core/python.h"
#include "sparse/params.h"

namespace linnet {
namespace {

void sparse_f32(Program& program, uintptr_t x, uintptr_t blocks, uintptr_t index, uintptr_t starts,
                uintptr_t bias, uintptr_t y, std::array<int64_t, 3> sizes, int64_t count, float low,
                float high) {
  SparseF32Params p{};
  p.x = at<const float>(x);
  p.blocks = at<const float>(blocks);
  p.index = at<const int32_t>(index);
  p.starts = at<const int64_t>(starts);
  p.bias = at<const float>(bias);
  p.y = at<float>(y);
  p.rows = sizes[0], p.depth = sizes[1], p.columns = sizes[2];
  p.low = low;
  p.high = high;
  const double macs =
      static_cast<double>(p.rows * count) * static_cast<double>(kBlockOutputs * kBlockDepth);
  program.add(Kernel::sparse_f32, p, Cost{200.0 + macs / (program.isa() == 0 ? 5.0 : 25.0), 0});
}

}  // namespace

inline void bind_sparse(ProgramClass& program) {
  program.def("sparse_f32", sparse_f32, py::kw_only(), py::arg("x"), py::arg("blocks"),
              py::arg("index"), py::arg("starts"), py::arg("bias"), py::arg("y"), py::arg("sizes"),
              py::arg("count"), py::arg("low"), py::arg("high"),
              "Add a product with block-sparse weights; sizes = (rows, depth, columns), count = "
              "stored blocks.");
}

}  // namespace linnet
