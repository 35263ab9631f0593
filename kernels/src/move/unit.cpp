// The move kernels, compiled once per ISA.
#include "move/gather.h"
#include "move/resize.h"
#include "move/scatter.h"
#include "move/transpose.h"

namespace linnet {
namespace LINNET_ISA {

void copy_strided(const CopyParams& p, const Worker& w) noexcept { copy_nest(p, w); }
void copy_numbered(const CopyNumberedParams& p, const Worker& w) noexcept {
  CopyParams moved = p.copy;
  moved.source += *p.number * p.source_step;
  moved.target += *p.number * p.target_step;
  copy_nest(moved, w);
}

void fill_strided(const FillParams& p, const Worker& w) noexcept { fill_nest(p, w); }
void transpose_2d(const TransposeParams& p, const Worker& w) noexcept { transpose_any(p, w); }
void gather_runs(const GatherParams& p, const Worker& w) noexcept { gather_nest(p, w); }

void gather_nd(const IndexTuplesParams& p, const Worker& w) noexcept { gather_tuples(p, w); }
void scatter_nd(const IndexTuplesParams& p, const Worker& w) noexcept { scatter_tuples(p, w); }

void gather_elements(const GatherElementsParams& p, const Worker& w) noexcept { gather_any(p, w); }

void one_hot(const OneHotParams& p, const Worker& w) noexcept { mark_lines(p, w); }

void scatter_elements(const ScatterElementsParams& p, const Worker& w) noexcept {
  scatter_each(p, w);
}

void combine_nd(const CombineTuplesParams& p, const Worker& w) noexcept { combine_tuples(p, w); }

void resize_nearest(const ResizeNearestParams& p, const Worker& w) noexcept {
  resize_nearest_rows(p, w);
}

void resize_linear_s8(const ResizeLinearParams& p, const Worker& w) noexcept {
  resize_linear_rows<int8_t>(p, w);
}

void resize_linear_f32(const ResizeLinearParams& p, const Worker& w) noexcept {
  resize_linear_rows<float>(p, w);
}

void requantize_rows_s8(const RequantizeRowsParams& p, const Worker& w) noexcept {
  requantize_rows(p, w);
}

}  // namespace LINNET_ISA
}  // namespace linnet
