// Parameters of the move kernels: copies, fills, transposes, gathers and image resizing.
// Strides and runs are in bytes; strides of sources may be zero or negative. Targets never overlap
// sources. No kernel here reads or writes a byte outside the elements that it moves.
#pragma once

#include "core/kernel.h"
#include "core/numbers.h"

namespace linnet {

constexpr int kMoveRank = 8;

// Axes of a loop nest, slowest first; rank may be 0.
struct MoveAxes {
  int rank;
  int64_t size[kMoveRank];
  int64_t source_stride[kMoveRank];
  int64_t target_stride[kMoveRank];
};

// target[sum i_k * target_stride_k + b] = source[sum i_k * source_stride_k + b] for b < run.
struct CopyParams {
  const uint8_t* source;
  uint8_t* target;
  int64_t run;
  MoveAxes axes;
};

// As CopyParams, source and target moved on by *number times a step of bytes.
struct CopyNumberedParams {
  CopyParams copy;
  const int64_t* number;
  int64_t source_step, target_step;
};

// target[sum i_k * target_stride_k + b] = pattern[b % 8] for b < run; run is a multiple of the
// element that the pattern repeats.
struct FillParams {
  uint8_t* target;
  int64_t run;
  uint64_t pattern;
  MoveAxes axes;
};

// For every index of the axes: target[j * target_stride + i * element] =
// source[i * source_stride + j * element] for i < rows, j < columns; element is 1, 2, 4 or 8 bytes.
struct TransposeParams {
  const uint8_t* source;
  uint8_t* target;
  int element;
  int64_t rows, columns;
  int64_t source_stride, target_stride;
  MoveAxes axes;
};

// target[b][m][i] = source[b][m][indices[b][i]], each a run of bytes; negative indices count from
// the end of `extent`. An index outside -extent to extent - 1 sets the worker's error, and nothing
// is written for it.
struct GatherParams {
  const uint8_t* source;
  uint8_t* target;
  const void* indices;
  bool wide;     // indices are int64, else int32
  bool batched;  // each b has its own `count` indices, else all share one set
  int64_t batches, middle, count, extent, run;
};

// One run of bytes per index tuple: place(b, t) = b * batch_stride + sum over d of
// indices[b][t][d] * stride[d]. gather_nd: target[b][t] = source at place(b, t). scatter_nd:
// target at place(b, t) = source[b][t], in order, so that the last of equal tuples wins. Indices
// are checked against `extent` as in GatherParams.
struct IndexTuplesParams {
  const uint8_t* source;
  uint8_t* target;
  const void* indices;
  bool wide;
  int depth;
  int64_t batches, count, run, batch_stride;
  int64_t extent[kMoveRank];
  int64_t stride[kMoveRank];
};

// target[i] = source[sum over the axes of i_k * source_stride_k + indices[i] * index_stride] for
// every i of the axes in order; element is 1, 2, 4 or 8 bytes. Indices as in GatherParams.
struct GatherElementsParams {
  const uint8_t* source;
  uint8_t* target;
  const void* indices;
  bool wide;
  int element;
  int64_t extent, index_stride;
  MoveAxes axes;
};

// out[o][d][i] = values[1] where indices[o][i] (counted from the end if negative) is d, else
// values[0], of [outer, length, inner]. Indices are int64 where `wide`, else int32; elements of 1,
// 2, 4 or 8 bytes.
struct OneHotParams {
  int64_t outer, length, inner;
  const void* indices;
  const void* values;
  void* y;
  int32_t element;
  bool wide;
};

enum class Combine : int32_t { replace, add, mul, min, max };

// For every i of the axes in order, at = sum of i_k * target_stride_k + indices[i] * index_stride:
// target[at] = combine(target[at], source[i]). Indices as in GatherParams. Elements of 1, 2, 4 or 8
// bytes; float32, int32 or int64 where they are combined by arithmetic.
struct ScatterElementsParams {
  const void* source;
  void* target;
  const void* indices;
  bool wide;
  int32_t element;
  NumberType type;
  Combine combine;
  int64_t extent, index_stride;
  MoveAxes axes;
};

// As scatter_nd, combining: float32, int32, int64.
struct CombineTuplesParams {
  IndexTuplesParams tuples;
  NumberType type;
  Combine combine;
};

// target[n][y][x] = source[n][rows[y]][columns[x]], each pixel a run of bytes.
struct ResizeNearestParams {
  const uint8_t* source;
  uint8_t* target;
  const int32_t* rows;
  const int32_t* columns;
  int64_t batch, height, width, out_height, out_width, run;
};

// left = s[lo_y][lo_x] * g_y + s[hi_y][lo_x] * f_y, right likewise at hi_x,
// target = left * g_x + right * f_x in float32, every operation rounded, no fused multiply-add;
// int8 rounds half to even. Scratch: width * channels floats.
struct LinearTaps {
  const int32_t* low;
  const int32_t* high;
  const float* g;
  const float* f;
};

struct ResizeLinearParams {
  const void* source;
  void* target;
  LinearTaps rows, columns;
  int64_t batch, height, width, out_height, out_width, channels;
};

// target[r * target_stride + b] = saturate(round_half_even(float32(source[r * run + b] - zero_in)
// * scale) + zero_out) for r < rows, b < run.
struct RequantizeRowsParams {
  const int8_t* source;
  int8_t* target;
  int64_t rows, run, target_stride;
  int32_t zero_in, zero_out;
  float scale;
};

}  // namespace linnet
