// A bound program: a flat array of (kernel, parameters) over one arena.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/api.h"
#include "core/balance.h"
#include "core/dispatch.h"
#include "core/flow.h"
#include "core/tape.h"

namespace linnet {

// What a step costs: estimated nanoseconds on one thread (decides its threads) and scratch bytes
// per thread.
struct Cost {
  double nanoseconds = 0;
  size_t scratch = 0;
};

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<void, FreeDeleter>;

// Zeroed memory aligned to 64 bytes; throws std::bad_alloc.
AlignedBytes allocate_aligned(size_t bytes);

// Memory that programs share which never run at the same time: one block for their tensors, with
// slack for over-reads, and scratch that grows with their needs.
class Arena {
 public:
  explicit Arena(size_t bytes);
  size_t bytes() const { return bytes_; }
  void* data() const { return data_.get(); }
  void* scratch() const { return scratch_.get(); }
  void reserve_scratch(size_t bytes);

 private:
  size_t bytes_;
  AlignedBytes data_;
  AlignedBytes scratch_;
  size_t scratch_bytes_ = 0;
};

class Program {
 public:
  // Throws std::invalid_argument for a bad ISA.
  Program(std::shared_ptr<Arena> arena, const std::string& isa, int threads);

  template <class Params>
  int add(Kernel kernel, const Params& params, Cost cost) {
    static_assert(std::is_trivially_copyable<Params>::value, "parameters are plain data");
    AlignedBytes copy = allocate_aligned(sizeof(Params));
    *static_cast<Params*>(copy.get()) = params;
    return add_step(kernel, std::move(copy), cost);
  }

  // Keeps memory that parameters point to; returns where it is.
  void* keep(AlignedBytes memory) {
    params_.push_back(std::move(memory));
    return params_.back().get();
  }

  // A step that the caller does: run() stops there.
  void add_host();
  // Lets the last step go on with each piece of what the one before makes, which it changes in
  // place, instead of with the whole; false where their kernels cannot.
  bool join();
  // Steps between begin_if and begin_else (or end_block) run where *condition is not 0, those
  // between begin_else and end_block where it is.
  void begin_if(const uint8_t* condition);
  void begin_else();
  // Steps up to end_block run again and again while *number, which counts them, is below *limit
  // (without end where there is none), until leave_unless meets 0.
  void begin_loop(int64_t* number, const int64_t* limit);
  void leave_unless(const uint8_t* condition);
  void end_block();

  // Runs steps from `at` to `end`; `at` becomes the step where the run ended.
  Outcome run(int& at, int end) noexcept;

  uintptr_t arena() const { return reinterpret_cast<uintptr_t>(arena_->data()); }
  size_t arena_bytes() const { return arena_->bytes(); }
  int size() const { return static_cast<int>(steps_.size()); }
  int isa() const { return isa_; }
  const std::string& isa_name() const { return isa_names()[static_cast<size_t>(isa_)]; }
  int threads() const { return threads_; }
  Kernel kernel(int step) const { return steps_[static_cast<size_t>(step)].kernel; }
  int step_threads(int step) const { return steps_[static_cast<size_t>(step)].threads; }
  size_t scratch_bytes() const { return scratch_bytes_ * static_cast<size_t>(threads_); }

  // Lets every later step use `threads` threads however small it is; 0 goes back to estimates.
  void force_threads(int threads) { forced_ = threads; }

  // From now on, calls that add steps go on a tape.
  void record() { tape_ = std::make_unique<Tape>(); }
  // Null where nothing is recorded.
  Tape* tape() const { return tape_.get(); }

  // While profiling, run() adds each step's nanoseconds to times().
  void profile(bool on);
  const std::vector<double>& times() const { return times_; }
  // When each step began in the last profiled run: nanoseconds of the steady clock.
  const std::vector<double>& starts() const { return starts_; }
  // Nanoseconds inside run() since profiling began: steps, what goes on between them, clocks.
  double elapsed() const { return elapsed_; }
  // When the first such run() began and the last one ended.
  double began() const { return began_; }
  double ended() const { return ended_; }

 private:
  struct Step {
    KernelFn function;
    void* params;
    int threads;  // that share the step now
    Kernel kernel;
    int most;  // that its estimated time lets it try
  };

  // A branch or a loop being filled: where its loop begins (-1 for branches), its counter, and the
  // steps that go to its end.
  struct Block {
    int head;
    int64_t* number;
    std::vector<int> exits;
  };

  int add_step(Kernel kernel, AlignedBytes params, Cost cost);
  int add_flow(const Flow& flow);
  Flow& flow(int step);
  Block& innermost(bool loops);
  void land(const Block& block);
  void run_part(uint32_t index, int part, int thread) noexcept;
  static void run_task(void* self, uint32_t index, int part, int thread);
  Outcome run_profiled(int& at, int end) noexcept;
  Outcome run_steps(int& at, int end, Balance* balance, Turn turn) noexcept;
  Outcome run_flow(int& at) noexcept;
  int end_of_stretch(int begin, int end) const;
  Balance& balance_of(int begin, int end);
  void settle(const Balance& balance, int begin, int end);

  std::shared_ptr<Arena> arena_;
  std::unique_ptr<Tape> tape_;
  size_t scratch_bytes_ = 0;
  int isa_;
  int threads_;
  int widest_ = 1;
  int active_ = 1;
  bool trying_ = false;  // steps take as many threads as they may try
  int forced_ = 0;
  int error_ = 0;
  bool profiling_ = false;
  bool resumed_ = false;  // the last run was paused
  uint32_t rounds_ = 0;
  double patience_ = 0;  // when a loop pauses the run; 0 for not known yet
  std::vector<Step> steps_;
  std::vector<int> hosts_;
  std::vector<Block> blocks_;
  std::vector<Balance> balances_;
  std::vector<AlignedBytes> params_;
  std::vector<double> times_;
  std::vector<double> starts_;
  double elapsed_ = 0;
  double began_ = 0;
  double ended_ = 0;
};

}  // namespace linnet
