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

}  // namespace

Turn Balance::next() {
  if (trials_ < kTrials) return trials_ < kTurnsPerTrial ? Turn::timed_shared : Turn::timed_alone;
  if (!worth_) return Turn::alone;
  return rest_ > 0 || probe_ ? Turn::alone : Turn::shared;
}

void Balance::step_took(Turn turn, int step, double nanoseconds) {
  if (trials_ % kTurnsPerTrial == 0) return;
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
  } else if (worth_) {
    // One thread's time follows the machine, slowly.
    expected_ += (std::min(nanoseconds, 2 * expected_) - expected_) / 8;
    probe_ = false;
    rest_ = std::max(rest_ - 1, 0);
  }
  return false;
}

void Balance::watch(double nanoseconds) {
  ++shared_turns_;
  if (nanoseconds > expected_) ++lost_;
  if (lost_ > kMostLost) {
    longest_ = std::min(std::max(2 * longest_, kFirstRest), kLongestRest);
    rest_ = longest_;
    shared_turns_ = lost_ = 0;
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
