// Matrix products.
#pragma once

#include "float/product.h"

namespace linnet {
namespace LINNET_ISA {

constexpr int64_t kRowGrain = tile_rows(kTileVectors);

// Rows [begin, end) and columns [column, stop) of batch entry `entry`.
static void gemm_part(const GemmF32Params& p, float* scratch, int64_t entry, int64_t begin,
                      int64_t end, int64_t column, int64_t stop) {
  const float* a = p.a + p.a_offsets[entry];
  ProductF32 product{};
  product.b = p.b + p.b_offsets[entry];
  product.bias = p.bias;
  product.ldb = p.ldb;
  product.ldc = p.columns;
  product.depth = p.depth;
  product.low = p.low;
  product.high = p.high;
  product.layout = p.b_layout;
  const bool strided = p.b_layout == LayoutF32::kRows && p.ldb > 256 && p.rows > 2 * kRowGrain;
  product.packed = p.b_layout == LayoutF32::kColumns || strided ? scratch : nullptr;
  float* gathered = scratch + kDepthBlockF32 * kPackColumnsF32;
  product.lda = p.a_columns ? gathered_stride_f32(p.depth) : p.lda;
  // Without a copy of A the block only bounds how often B is packed.
  int64_t most = row_block_f32(p.depth, p.columns) * (p.a_columns ? 1 : 4);
  if (p.tails.count > 0) most = finished_rows_f32(most, stop - column);
  const int64_t step = even_blocks(end - begin, most);
  for (int64_t row = begin; row < end; row += step) {
    const int64_t rows = end - row < step ? end - row : step;
    if (p.a_columns) {
      transpose(a + row, p.lda, gathered, product.lda, p.depth, rows);
      product.a = gathered;
    } else {
      product.a = a + row * p.lda;
    }
    const int64_t place = (entry * p.rows + row) * p.columns;
    product.c = p.c + place;
    multiply(product, rows, column, stop);
    finish_rows(p.tails, place + column, stop - column, rows, p.columns);
  }
}

static void run_gemm(const GemmF32Params& p, const Worker& worker) {
  if (p.rows == 0 || p.columns == 0) return;
  float* scratch = static_cast<float*>(worker.scratch);
  const int64_t tiles = (p.rows + kRowGrain - 1) / kRowGrain;
  const int64_t panels = (p.columns + kPanelF32 - 1) / kPanelF32;
  if (splits_columns(p.batch * tiles, panels, worker.threads, p.columns > p.rows)) {
    const Span columns = split(p.columns, worker, kPanelF32);
    for (int64_t entry = 0; entry < p.batch; ++entry) {
      gemm_part(p, scratch, entry, 0, p.rows, columns.begin, columns.end);
    }
    return;
  }
  const Span units = split(p.batch * tiles, worker);
  for (int64_t unit = units.begin; unit < units.end;) {
    const int64_t entry = unit / tiles, first = unit % tiles;
    const int64_t count = units.end - unit < tiles - first ? units.end - unit : tiles - first;
    const int64_t end = (first + count) * kRowGrain;
    gemm_part(p, scratch, entry, first * kRowGrain, end < p.rows ? end : p.rows, 0, p.columns);
    unit += count;
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
