// Whether runs of a program are split among threads, from the times that they take.
#pragma once

#include <cstddef>
#include <vector>

namespace linnet {

enum class Turn {
  alone,         // one thread
  shared,        // every step with the threads it was given
  timed_alone,   // one thread, steps timed
  timed_shared,  // every step that may be split is, steps timed
};

// One stretch of steps that run together. Its first runs are trials: some with every step split
// that may be, then some on one thread; a step stays split where that made it faster, and the
// stretch where the sum is. Later runs are watched: while another process has the cores, splitting
// is left off, and tried again after a while. Where splitting was not worth it, trials are renewed
// now and then.
class Balance {
 public:
  Balance(int begin, int end)
      : begin_(begin),
        end_(end),
        turn_(static_cast<size_t>(end - begin)),
        alone_(turn_.size(), kNever),
        split_(turn_.size(), kNever) {}

  bool covers(int begin, int end) const { return begin == begin_ && end == end_; }
  Turn next();

  // The time of one step in a timed turn, which runs it again in a loop, or not at all in a branch;
  // loops may lead to steps outside the stretch.
  void step_took(int step, double nanoseconds);
  // The time of a whole turn; returns true where the trials are over just now.
  bool took(Turn turn, double nanoseconds);

  // Whether a step gains by being split, once the trials are over.
  bool gains(int step) const;

 private:
  static constexpr double kNever = 1e30;

  bool in_trials() const;
  void add_trial(Turn turn);
  void settle();
  void watch(double nanoseconds);
  void try_again();

  int begin_, end_;
  int trials_ = 0;
  bool long_ = false;  // few trials
  bool worth_ = false;
  double expected_ = 0;              // nanoseconds of a turn on one thread
  double timed_ = 0;                 // those of all trials on one thread
  int shared_turns_ = 0, lost_ = 0;  // in the present window
  int rest_ = 0, longest_ = 0;       // turns on one thread: left, and the last number of them
  bool probe_ = false;
  double debt_ = 0;                    // nanoseconds that splitting lost of late
  double idle_ = 0, patience_ = 1;     // nanoseconds on one thread since trials; how long to wait
  std::vector<double> turn_;           // nanoseconds of each step in this turn
  std::vector<double> alone_, split_;  // the least of all turns
};

}  // namespace linnet
