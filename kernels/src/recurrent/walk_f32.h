// Float recurrence over inputs that were multiplied before: LSTM, GRU and the simple layer.
#pragma once

#include "recurrent/lstm_f32.h"

namespace linnet {
namespace LINNET_ISA {

// Memory of one thread.
struct WalkScratch {
  float* sums;   // what each gate gets from h
  float* reset;  // h times the reset gate, or the first h
};

// One step of one sequence; h may be `before`.
struct WalkRow {
  const float* x;
  const float* before;
  float* h;
  float* c;
};

static int64_t gates_of(const WalkF32Params& p) {
  return p.kind == kWalkLstm ? 4 : p.kind == kWalkGru ? 3 : 1;
}

// Units from `n` on, `lanes` of them: gates in the order input, output, forget, cell.
LINNET_INLINE void lstm_units(const WalkF32Params& p, const float* x, const float* sums, float* h,
                              float* c, int64_t n, int lanes) {
  const int64_t wide = padded(p.units, kPanel);
  const auto gate = [&](int index) {
    return load_f(x + index * p.units + n, lanes) + load_f(sums + index * wide + n);
  };
  const F before = load_f(c + n, lanes);
  F enter = gate(0), leave = gate(1), keep = gate(2);
  if (p.peepholes != nullptr) {
    enter = enter + load_f(p.peepholes + n) * before;
    keep = keep + load_f(p.peepholes + 2 * wide + n) * before;
  }
  enter = sigmoid_f(clip_both(enter, p.clip));
  keep = p.coupled ? splat_f(1.0f) - enter : sigmoid_f(clip_both(keep, p.clip));
  const F after = keep * before + enter * tanh_f(clip_both(gate(3), p.clip));
  if (p.peepholes != nullptr) leave = leave + load_f(p.peepholes + wide + n) * after;
  store_f(c + n, after, lanes);
  store_f(h + n, sigmoid_f(clip_both(leave, p.clip)) * tanh_f(after), lanes);
}

// The last gate of a GRU: `inner` is what it gets from h.
LINNET_INLINE void gru_units(const WalkF32Params& p, const WalkRow& row, const float* sums,
                             const float* inner, int64_t n, int lanes) {
  const float* x = row.x + n;
  const F keep = sigmoid_f(clip_both(load_f(x, lanes) + load_f(sums + n), p.clip));
  const F fresh = tanh_f(clip_both(load_f(x + 2 * p.units, lanes) + load_f(inner + n), p.clip));
  const F before = load_f(row.before + n, lanes);
  store_f(row.h + n, (splat_f(1.0f) - keep) * fresh + keep * before, lanes);
}

// The part of a step that one thread does: whole panels of units, and where the units end.
struct WalkPart {
  Span panels;
  int64_t begin;
  int64_t end;
};

static WalkPart part_of(const WalkF32Params& p, Span panels) {
  const int64_t end = panels.end * kPanel;
  return {panels, panels.begin * kPanel, end < p.units ? end : p.units};
}

// sums += h * R for the first `gates` gates of the part.
static void add_recurrent(const WalkF32Params& p, const float* h, int64_t gates,
                          const WalkPart& part, float* sums) {
  const int64_t panels = padded(p.units, kPanel) / kPanel;
  const int64_t count = part.panels.end - part.panels.begin;
  if (count == panels) return add_row_f32(p.weights, h, p.units, gates * panels, sums);
  for (int64_t gate = 0; gate < gates; ++gate) {
    const int64_t panel = gate * panels + part.panels.begin;
    add_row_f32(p.weights + panel * p.units * kPanel, h, p.units, count, sums + panel * kPanel);
  }
}

// A part of a GRU without `reset_after` is all of it: its last gate needs every reset one.
static void step_gru(const WalkF32Params& p, const WalkRow& row, const WalkPart& part,
                     const WalkScratch& to) {
  const int64_t wide = padded(p.units, kPanel), panels = wide / kPanel;
  float* last = to.sums + 2 * wide;
  for (int64_t gate = 0; gate < 3; ++gate) {
    const int64_t first = gate * wide + part.begin;
    memcpy(to.sums + first, p.bias + first, sizeof(float) * (size_t)(part.end - part.begin));
  }
  add_recurrent(p, row.before, p.reset_after ? 3 : 2, part, to.sums);
  for (int64_t n = part.begin; n < part.end; n += kLanes) {
    const int lanes = (int)(part.end - n < kLanes ? part.end - n : kLanes);
    const F sum = load_f(row.x + p.units + n, lanes) + load_f(to.sums + wide + n);
    const F reset = sigmoid_f(clip_both(sum, p.clip));
    if (p.reset_after) {
      store_f(last + n, reset * load_f(last + n));
    } else {
      store_f(to.reset + n, reset * load_f(row.before + n, lanes));
    }
  }
  if (!p.reset_after) {
    add_row_f32(p.weights + 2 * panels * p.units * kPanel, to.reset, p.units, panels, last);
  }
  for (int64_t n = part.begin; n < part.end; n += kLanes) {
    const int lanes = (int)(part.end - n < kLanes ? part.end - n : kLanes);
    gru_units(p, row, to.sums, last, n, lanes);
  }
}

static void step_plain(const WalkF32Params& p, const WalkRow& row, const WalkPart& part,
                       const WalkScratch& to) {
  const int64_t gates = gates_of(p), wide = padded(p.units, kPanel);
  for (int64_t gate = 0; gate < gates; ++gate) {
    const int64_t count = (part.panels.end - part.panels.begin) * kPanel;
    memset(to.sums + gate * wide + part.begin, 0, sizeof(float) * (size_t)count);
  }
  add_recurrent(p, row.before, gates, part, to.sums);
  for (int64_t n = part.begin; n < part.end; n += kLanes) {
    const int lanes = (int)(part.end - n < kLanes ? part.end - n : kLanes);
    if (p.kind == kWalkLstm) {
      lstm_units(p, row.x, to.sums, row.h, row.c, n, lanes);
    } else {
      const F sum = load_f(row.x + n, lanes) + load_f(to.sums + n);
      store_f(row.h + n, tanh_f(clip_both(sum, p.clip)), lanes);
    }
  }
}

static void walk_part(const WalkF32Params& p, const WalkRow& row, const WalkPart& part,
                      const WalkScratch& to) {
  if (p.kind == kWalkGru) {
    step_gru(p, row, part, to);
  } else {
    step_plain(p, row, part, to);
  }
}

static void start_state(float* state, const float* before, int64_t first, int64_t count) {
  if (before == nullptr) {
    memset(state + first, 0, sizeof(float) * (size_t)count);
  } else {
    memcpy(state + first, before + first, sizeof(float) * (size_t)count);
  }
}

static void walk_entry(const WalkF32Params& p, int64_t entry, const WalkScratch& to) {
  float* h = p.h + entry * p.units;
  float* c = p.kind == kWalkLstm ? p.c + entry * p.units : nullptr;
  start_state(p.h, p.h_before, entry * p.units, p.units);
  if (c != nullptr) start_state(p.c, p.c_before, entry * p.units, p.units);
  const WalkPart whole = part_of(p, {0, padded(p.units, kPanel) / kPanel});
  const int64_t given = p.lengths == nullptr ? p.steps : p.lengths[entry];
  const int64_t length = given < 0 ? 0 : given < p.steps ? given : p.steps;
  for (int64_t t = 0; t < length; ++t) {
    const int64_t row = (p.backward ? length - 1 - t : t) * p.batch + entry;
    walk_part(p, {p.x + row * gates_of(p) * p.units, h, h, c}, whole, to);
    memcpy(p.y + row * p.units, h, sizeof(float) * (size_t)p.units);
  }
  for (int64_t t = length; t < p.steps; ++t) {
    memset(p.y + (t * p.batch + entry) * p.units, 0, sizeof(float) * (size_t)p.units);
  }
}

static WalkScratch walk_scratch(const WalkF32Params& p, const Worker& worker) {
  float* scratch = static_cast<float*>(worker.scratch);
  return {scratch, scratch + gates_of(p) * padded(p.units, kPanel)};
}

static void run_walk_f32(const WalkF32Params& p, const Worker& worker) {
  const WalkScratch to = walk_scratch(p, worker);
  const Span mine = split(p.batch, worker);
  for (int64_t entry = mine.begin; entry < mine.end; ++entry) walk_entry(p, entry, to);
}

// Rows of y are the hidden states, so that no thread writes what another still reads.
static void run_walk_step_f32(const WalkStepF32Params& params, const Worker& worker) {
  const WalkF32Params& p = params.walk;
  const WalkPart part = part_of(p, split(padded(p.units, kPanel) / kPanel, worker));
  if (part.begin >= part.end) return;
  const WalkScratch to = walk_scratch(p, worker);
  const int64_t done = *params.done, count = part.end - part.begin;
  const int64_t t = p.backward ? p.steps - 1 - done : done;
  const float* before = p.y + (p.backward ? t + 1 : t - 1) * p.units;
  if (done == 0) {
    start_state(to.reset, p.h_before, 0, p.units);
    before = to.reset;
    if (p.kind == kWalkLstm) start_state(p.c, p.c_before, part.begin, count);
  }
  float* h = p.y + t * p.units;
  walk_part(p, {p.x + t * gates_of(p) * p.units, before, h, p.c}, part, to);
  if (done == p.steps - 1) {
    memcpy(p.h + part.begin, h + part.begin, sizeof(float) * (size_t)count);
  }
}

}  // namespace LINNET_ISA
}  // namespace linnet
