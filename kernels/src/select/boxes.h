// Boxes decoded from anchors, and those left out that overlap better ones.
#pragma once

#include <math.h>

#include "select/ranked.h"

namespace linnet {
namespace LINNET_ISA {

// (y1, x1, y2, x2) and its area.
struct Box {
  float at[4];
  float area;
};

LINNET_INLINE Box with_area(Box box) {
  box.area = (box.at[2] - box.at[0]) * (box.at[3] - box.at[1]);
  return box;
}

// Intersection over union; 0 where a box is empty.
LINNET_INLINE float overlap_of(const Box& a, const Box& b) {
  if (a.area <= 0 || b.area <= 0) return 0;
  const float height =
      (a.at[2] < b.at[2] ? a.at[2] : b.at[2]) - (a.at[0] > b.at[0] ? a.at[0] : b.at[0]);
  const float width =
      (a.at[3] < b.at[3] ? a.at[3] : b.at[3]) - (a.at[1] > b.at[1] ? a.at[1] : b.at[1]);
  const float shared = (height > 0 ? height : 0) * (width > 0 ? width : 0);
  return shared / (a.area + b.area - shared);
}

// Candidates, the best on top, of equal ones the earliest.
struct Candidates {
  static constexpr int64_t kBlock = 128;
  Ranked* heap;
  int64_t count;

  void add(float score, int64_t row) { heap[count++] = {key_of(score), -row}; }
  void order() {
    for (int64_t i = count / 2 - 1; i >= 0; --i) sink(heap, i, count);
  }
  // Orders those of `rows` scores that are above `least`; most blocks have none.
  void fill(const float* scores, int64_t rows, float least) {
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      const int64_t end = begin + kBlock < rows ? begin + kBlock : rows;
      int32_t some = 0;
      for (int64_t row = begin; row < end; ++row) some |= scores[row] > least;
      for (int64_t row = begin; some != 0 && row < end; ++row) {
        if (scores[row] > least) add(scores[row], row);
      }
    }
    order();
  }
  int64_t take() {
    const int64_t row = -heap[0].place;
    heap[0] = heap[--count];
    sink(heap, 0, count);
    return row;
  }
};

// Takes candidates until `most` are kept; keep(row) is called for each. box_of(row) gives its box,
// goes(overlap) says whether that overlap with a kept one is too much. Returns how many are kept.
template <class BoxOf, class Goes, class Keep>
static int64_t suppress(Candidates& waiting, Box* kept, int64_t most, BoxOf box_of, Goes goes,
                        Keep keep) {
  int64_t count = 0;
  while (waiting.count > 0 && count < most) {
    const int64_t row = waiting.take();
    const Box box = box_of(row);
    bool free = true;
    for (int64_t i = 0; i < count && free; ++i) free = !goes(overlap_of(kept[i], box));
    if (!free) continue;
    kept[count] = box;
    keep(row, count++);
  }
  return count;
}

LINNET_INLINE float real_of(const Reals& r, int64_t i) {
  if (r.type == NumberType::float32_) return static_cast<const float*>(r.data)[i];
  const int32_t stored = r.type == NumberType::int8_ ? static_cast<const int8_t*>(r.data)[i]
                                                     : static_cast<const uint8_t*>(r.data)[i];
  return (float)(stored - r.zero) * r.scale;
}

static Box decoded(const DetectionParams& p, int64_t row) {
  Box box = {};
  for (int d = 0; d < 2; ++d) {
    const double middle = real_of(p.boxes, row * p.width + d);
    const double size = real_of(p.boxes, row * p.width + d + 2);
    const double anchor = real_of(p.anchors, row * 4 + d);
    const double extent = real_of(p.anchors, row * 4 + d + 2);
    const float center = (float)(middle / p.scales[d] * extent + anchor);
    const float half = (float)(0.5 * exp(size / p.scales[d + 2]) * extent);
    box.at[d] = center - half;
    box.at[d + 2] = center + half;
  }
  return with_area(box);
}

// The classes of one row.
struct ClassScores {
  const Reals& scores;
  int64_t first, count;
  float operator[](int64_t k) const { return real_of(scores, first + k); }

  // The largest; NaN where there is one.
  float best() const {
    if (scores.type == NumberType::float32_) {
      return most_of(static_cast<const float*>(scores.data) + first);
    }
    const int32_t most = scores.type == NumberType::int8_
                             ? most_of(static_cast<const int8_t*>(scores.data) + first)
                             : most_of(static_cast<const uint8_t*>(scores.data) + first);
    return (float)(most - scores.zero) * scores.scale;
  }

  // NaN where there is one.
  template <class T>
  T most_of(const T* x) const {
    T most = x[0];
    int broken = 0;
    for (int64_t k = 0; k < count; ++k) {
      most = x[k] > most ? x[k] : most;
      broken |= x[k] != x[k];
    }
    if (broken) most = (T)NAN;
    return most;
  }

  // The best class behind one, by falling score; of equal ones the earlier comes first.
  int64_t after(int64_t last) const {
    int64_t found = -1;
    for (int64_t k = 0; k < count; ++k) {
      if (last >= 0 && !((*this)[k] < (*this)[last] || ((*this)[k] == (*this)[last] && k > last))) {
        continue;
      }
      if (found < 0 || (*this)[k] > (*this)[found]) found = k;
    }
    return found < 0 ? last : found;
  }
};

// What is put out for a kept box; one class more each time.
static void put_detection(const DetectionParams& p, int64_t at, const Box& box, int64_t kind,
                          float value) {
  memcpy(p.corners + 4 * at, box.at, sizeof box.at);
  p.kinds[at] = (float)kind;
  p.values[at] = value;
}

static ClassScores classes_of(const DetectionParams& p, int64_t row) {
  return {p.scores, (row + 1) * p.columns - p.classes, p.classes};
}

static int64_t detect_best(const DetectionParams& p, Ranked* heap, Box* kept) {
  Candidates waiting = {heap, 0};
  for (int64_t row = 0; row < p.count; ++row) {
    const float score = classes_of(p, row).best();
    if (score >= p.least_score) waiting.add(score, row);
  }
  waiting.order();
  const int64_t each = p.classes_each < p.classes ? p.classes_each : p.classes;
  return suppress(
      waiting, kept, p.detections, [&](int64_t row) { return decoded(p, row); },
      [&](float overlap) { return overlap > p.most_overlap; },
      [&](int64_t row, int64_t place) {
        const ClassScores scores = classes_of(p, row);
        for (int64_t k = 0, kind = -1; k < each; ++k) {
          kind = scores.after(kind);
          put_detection(p, place * p.classes_each + k, kept[place], kind, scores[kind]);
        }
      });
}

// Keeps detections by falling score, the earlier of equal ones first.
static int64_t detect_each(const DetectionParams& p, Ranked* heap, Box* kept) {
  int64_t found = 0;
  for (int64_t kind = 0; kind < p.classes; ++kind) {
    Candidates waiting = {heap, 0};
    for (int64_t row = 0; row < p.count; ++row) {
      const float score = classes_of(p, row)[kind];
      if (score >= p.least_score) waiting.add(score, row);
    }
    waiting.order();
    suppress(
        waiting, kept, p.detections_each, [&](int64_t row) { return decoded(p, row); },
        [&](float overlap) { return overlap > p.most_overlap; },
        [&](int64_t row, int64_t place) {
          const float value = classes_of(p, row)[kind];
          int64_t at = found < p.detections ? found++ : p.detections;
          for (; at > 0 && p.values[at - 1] < value; --at) {
            if (at == p.detections) continue;
            memcpy(p.corners + 4 * at, p.corners + 4 * (at - 1), sizeof kept[0].at);
            p.kinds[at] = p.kinds[at - 1];
            p.values[at] = p.values[at - 1];
          }
          if (at < p.detections) put_detection(p, at, kept[place], kind, value);
        });
  }
  return found;
}

static void detect(const DetectionParams& p, const Worker& w) {
  if (w.thread != 0) return;
  Ranked* heap = static_cast<Ranked*>(w.scratch);
  Box* kept = reinterpret_cast<Box*>(heap + p.count + 1);
  const size_t outputs = (size_t)(p.detections * p.classes_each);
  memset(p.corners, 0, 4 * outputs * sizeof(float));
  memset(p.kinds, 0, outputs * sizeof(float));
  memset(p.values, 0, outputs * sizeof(float));
  *p.found = (float)(p.per_class ? detect_each(p, heap, kept) : detect_best(p, heap, kept));
}

// The box of two opposite corners, or of its center and size.
static Box box_at(const float* from, bool center) {
  Box box = {};
  for (int d = 0; d < 2; ++d) {
    const float half = from[d + 2] / 2;
    const float low = from[d] < from[d + 2] ? from[d] : from[d + 2];
    const float high = from[d] < from[d + 2] ? from[d + 2] : from[d];
    box.at[d] = center ? from[d] - half : low;
    box.at[d + 2] = center ? from[d] + half : high;
  }
  return with_area(box);
}

static void suppress_boxes(const SuppressionParams& p, const Worker& w) {
  if (w.thread != 0) return;
  Candidates waiting = {static_cast<Ranked*>(w.scratch), 0};
  Box* kept = reinterpret_cast<Box*>(waiting.heap + p.count + 1);
  waiting.fill(p.scores, p.count, *p.least);
  memset(p.rows, 0, (size_t)p.most * sizeof(int32_t));
  *p.found = (int32_t)suppress(
      waiting, kept, p.most, [&](int64_t row) { return box_at(p.boxes + 4 * row, false); },
      [&](float overlap) { return overlap >= *p.overlap; },
      [&](int64_t row, int64_t place) { p.rows[place] = (int32_t)row; });
}

static void suppress_classes(const ClassSuppressionParams& p, const Worker& w) {
  if (w.thread != 0) return;
  Ranked* heap = static_cast<Ranked*>(w.scratch);
  Box* kept = reinterpret_cast<Box*>(heap + p.count + 1);
  const float most_overlap = p.overlap != nullptr ? *p.overlap : 0.0f;
  const float least = p.least != nullptr ? *p.least : -INFINITY;
  int64_t found = 0;
  for (int64_t group = 0; group < p.batches * p.classes; ++group) {
    const int64_t batch = group / p.classes;
    const float* boxes = p.boxes + batch * p.count * 4;
    Candidates waiting = {heap, 0};
    waiting.fill(p.scores + group * p.count, p.count, least);
    found += suppress(
        waiting, kept, p.most, [&](int64_t row) { return box_at(boxes + 4 * row, p.center); },
        [&](float overlap) { return overlap > most_overlap; },
        [&](int64_t row, int64_t place) {
          int64_t* put = p.rows + 3 * (found + place);
          put[0] = batch;
          put[1] = group % p.classes;
          put[2] = row;
        });
  }
  memset(p.rows + 3 * found, 0, (size_t)(3 * (p.limit - found)) * sizeof(int64_t));
  *p.found = found;
}

}  // namespace LINNET_ISA
}  // namespace linnet
