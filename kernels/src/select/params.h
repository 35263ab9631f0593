// Parameters of the kernels that order, search and accumulate elements.
#pragma once

#include "core/kernel.h"
#include "core/numbers.h"

namespace linnet {

// A tensor [outer, length, inner], worked on along `length`.
struct Lines {
  int64_t outer, length, inner;
};

// Of every line the k largest (or least) elements in order, of equal ones the earlier first, and
// their places, int64 where `wide`, else int32. NaN counts as largest. float32, int32, int64.
// Scratch: length entries of Ranked.
struct TopKParams {
  Lines lines;
  int64_t k;
  const void* x;
  void* values;
  void* places;
  NumberType type;
  bool largest, wide;
};

struct Ranked {
  uint64_t key;
  int64_t place;
};

// y[i] = sum (or product) of x[0..i] of its line, without x[i] where `exclusive`, from the end
// where `reverse`; in float64 or wrapping int64. float32, int32, int64.
struct CumulateParams {
  Lines lines;
  const void* x;
  void* y;
  NumberType type;
  bool exclusive, reverse, product;
};

// Place of the first (or last) largest (or least) element of every line; NaN counts as both.
// float32, int32, int64.
struct ArgLinesParams {
  Lines lines;
  const void* x;
  void* y;
  NumberType type;
  bool largest, last, wide;
};

enum class Fold : int32_t { sum, max, min, product };

// x [outer, first, middle, second, inner] reduced over first and second, modulo the type's range;
// the mean truncates. int32, int64, uint8.
struct ReduceWholeParams {
  int64_t outer, first, middle, second, inner;
  const void* x;
  void* y;
  NumberType type;
  Fold fold;
  bool mean;
};

// Elements of float32, or int8 or uint8 as (x - zero) * scale.
struct Reals {
  const void* data;
  NumberType type;
  float scale;
  int32_t zero;
};

// DetectionPostProcess: boxes [n, width], scores [n, columns] whose last `classes` count, anchors
// [n, 4]. Scratch: n entries of Ranked, then 5 floats for every box that may be kept.
struct DetectionParams {
  Reals boxes, scores, anchors;
  int64_t count, width, columns, classes;
  float* corners;
  float* kinds;
  float* values;
  float* found;
  double scales[4];
  float least_score, most_overlap;
  int64_t detections, classes_each, detections_each;
  bool per_class;
};

// Boxes [n, 4] (two opposite corners), scores [n]: rows of the boxes kept, best first, zeros behind
// them, and their number; a box goes that overlaps a kept one by `overlap` or more, and where its
// score is not above `least`. Scratch: n entries of Ranked, then 5 floats for every box kept.
struct SuppressionParams {
  const float* boxes;
  const float* scores;
  const float* overlap;
  const float* least;
  int32_t* rows;
  int32_t* found;
  int64_t count, most;
};

// Boxes [batches, n, 4] (two opposite corners, or center and size), scores [batches, classes, n]:
// rows of (batch, class, box) kept, by batch, class and falling score, zeros behind them up to
// `limit`, and their number. Of a class at most `most` are kept; a box goes that overlaps a kept
// one by more than `overlap` (0 where absent), and where its score is not above `least`, if
// present. Scratch: n entries of Ranked, then 5 floats for every box kept of a class.
struct ClassSuppressionParams {
  const float* boxes;
  const float* scores;
  const float* overlap;
  const float* least;
  int64_t* rows;
  int64_t* found;
  int64_t batches, classes, count, most, limit;
  bool center;
};

}  // namespace linnet
