#include "core/balance.h"

#include <algorithm>

namespace linnet {
namespace {

// The first turn of either kind warms caches up or wakes workers, and does not count.
constexpr int kTurnsPerTrial = 5;
constexpr int kTrials = 2 * kTurnsPerTrial;
// What a split must gain: of a step, against noise, and of the whole, against the cost of waking.
constexpr double kStepGain = 0.92;
constexpr double kLeastStepGain = 300;
constexpr double kGain = 0.93;
constexpr double kLeastGain = 4000;
// Of so many shared turns so many may be slower than one thread before splitting rests.
constexpr int kWindow = 24;
constexpr int kMostLost = 8;
constexpr int kFirstRest = 32;
constexpr int kLongestRest = 2048;
// Long runs cannot wait for so many: there splitting rests when it has lost so many times what a
// run takes on one thread, for turns that last about as long as the times below.
constexpr double kLongRun = 1e6;
constexpr double kMostDebt = 1.5;
constexpr double kFirstRestTime = 1e8;
constexpr double kLongestRestTime = 2e9;
// Trials may have met a busy machine: where splitting was not worth it they are made again after
// such a time and so many turns, which makes what they may lose a small share, then after twice
// that, and so on.
constexpr double kFirstPatience = 5e7;
constexpr double kPatientTurns = 200;
constexpr double kMostPatience = 32;

int turns_in(double time, double turn, int least, int most) {
  return static_cast<int>(std::min(std::max(time / std::max(turn, 1.0), static_cast<double>(least)),
                                   static_cast<double>(most)));
}

}  // namespace

Turn Balance::next() {
  if (trials_ < kTrials) return trials_ < kTurnsPerTrial ? Turn::timed_shared : Turn::timed_alone;
  if (!worth_) return Turn::alone;
  return rest_ > 0 || probe_ ? Turn::alone : Turn::shared;
}

void Balance::step_took(Turn turn, int step, double nanoseconds) {
  if (trials_ % kTurnsPerTrial == 0 || step < begin_ || step >= end_) return;
  double& least = (turn == Turn::timed_alone ? alone_ : split_)[static_cast<size_t>(step - begin_)];
  least = std::min(least, nanoseconds);
}

bool Balance::took(Turn turn, double nanoseconds) {
  if (trials_ < kTrials) {
    if (++trials_ < kTrials) return false;
    settle();
    return true;
  }
  if (turn == Turn::shared) {
    watch(nanoseconds);
  } else if (!worth_) {
    idle_ += nanoseconds;
    const double least = std::max(kFirstPatience, kPatientTurns * expected_);
    if (idle_ > patience_ * least) try_again();
  } else {
    // One thread's time follows the machine, slowly.
    expected_ += (std::min(nanoseconds, 2 * expected_) - expected_) / 8;
    probe_ = false;
    rest_ = std::max(rest_ - 1, 0);
  }
  return false;
}

void Balance::try_again() {
  patience_ = std::min(2 * patience_, kMostPatience);
  idle_ = 0;
  trials_ = 0;
  std::fill(alone_.begin(), alone_.end(), 1e30);
  std::fill(split_.begin(), split_.end(), 1e30);
}

void Balance::watch(double nanoseconds) {
  ++shared_turns_;
  if (nanoseconds > expected_) ++lost_;
  debt_ = std::max(0.0, debt_ + nanoseconds - expected_);
  if (lost_ > kMostLost || (expected_ > kLongRun && debt_ > kMostDebt * expected_)) {
    const int first = turns_in(kFirstRestTime, expected_, 2, kFirstRest);
    longest_ = std::min(std::max(2 * longest_, first),
                        turns_in(kLongestRestTime, expected_, 2 * first, kLongestRest));
    rest_ = longest_;
    shared_turns_ = lost_ = 0;
    debt_ = 0;
  } else if (shared_turns_ == kWindow) {
    if (lost_ == 0) longest_ = 0;
    shared_turns_ = lost_ = 0;
    probe_ = true;
  }
}

bool Balance::gains(int step) const {
  const size_t i = static_cast<size_t>(step - begin_);
  return worth_ && split_[i] < kStepGain * alone_[i] && split_[i] < alone_[i] - kLeastStepGain;
}

void Balance::settle() {
  worth_ = true;
  double best = 0;
  expected_ = 0;
  for (int step = begin_; step < end_; ++step) {
    const size_t i = static_cast<size_t>(step - begin_);
    expected_ += alone_[i];
    best += gains(step) ? split_[i] : alone_[i];
  }
  worth_ = best < kGain * expected_ && best < expected_ - kLeastGain;
}

}  // namespace linnet
