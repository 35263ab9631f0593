#include "core/balance.h"

#include <algorithm>

namespace linnet {
namespace {

// Blocks of turns of either kind follow each other twice, so that both meet the same clocks. Where
// a turn takes long there are fewer: users wait for each, and noise is a smaller part of it.
constexpr int kBlock = 3;
constexpr int kTrials = 4 * kBlock;
constexpr double kLongTrial = 4e6;
constexpr int kSharedOfLong = 2;
constexpr int kTrialsOfLong = 3;
// What a split must gain: of a step, against noise, and of the whole, against the cost of waking.
constexpr double kStepGain = 0.92;
constexpr double kLeastStepGain = 300;
constexpr double kGain = 0.93;
constexpr double kLeastGain = 4000;
// Of so many shared turns so many may be slower than one thread before splitting rests.
constexpr int kWindow = 24;
constexpr int kMostLost = 8;
// Long runs cannot wait for so many: there splitting rests when it has lost so many times what a
// run takes on one thread. What it gained before counts, up to as much.
constexpr double kLongRun = 1e6;
constexpr double kMostDebt = 4;
// The first rest is just long enough to learn what one thread takes now; each one that follows a
// loss at once is twice as long as the one before.
constexpr int kFirstRest = 4;
constexpr int kLongestRest = 2048;
constexpr double kLongestRestTime = 2e9;
// Trials may have met a busy machine: where splitting was not worth it they are made again after
// such a time and so many turns, which makes what they may lose a small share, then after twice
// that, and so on.
constexpr double kFirstPatience = 5e7;
constexpr double kPatientTurns = 200;
constexpr double kPatientLongTurns = 20;
constexpr double kMostPatience = 32;

}  // namespace

Turn Balance::next() {
  if (in_trials()) {
    std::fill(turn_.begin(), turn_.end(), 0);
    const bool shared = long_ ? trials_ < kSharedOfLong : trials_ / kBlock % 2 == 0;
    return shared ? Turn::timed_shared : Turn::timed_alone;
  }
  if (!worth_) return Turn::alone;
  return rest_ > 0 || probe_ ? Turn::alone : Turn::shared;
}

bool Balance::in_trials() const { return trials_ < (long_ ? kTrialsOfLong : kTrials); }

void Balance::step_took(int step, double nanoseconds) {
  if (step >= begin_ && step < end_) turn_[static_cast<size_t>(step - begin_)] += nanoseconds;
}

void Balance::add_trial(Turn turn) {
  std::vector<double>& least = turn == Turn::timed_alone ? alone_ : split_;
  for (size_t i = 0; i < turn_.size(); ++i) {
    if (turn_[i] > 0) least[i] = std::min(least[i], turn_[i]);
  }
}

bool Balance::took(Turn turn, double nanoseconds) {
  if (in_trials()) {
    add_trial(turn);
    if (turn == Turn::timed_alone) timed_ += nanoseconds;
    if (trials_++ == 0) long_ = nanoseconds > kLongTrial;
    if (in_trials()) return false;
    settle();
    return true;
  }
  if (turn == Turn::shared) {
    watch(nanoseconds);
  } else if (!worth_) {
    idle_ += nanoseconds;
    const double turns = long_ ? kPatientLongTurns : kPatientTurns;
    const double least = std::max(kFirstPatience, turns * expected_);
    if (idle_ > patience_ * least) try_again();
  } else {
    expected_ += (std::min(nanoseconds, 2 * expected_) - expected_) / 4;
    probe_ = false;
    rest_ = std::max(rest_ - 1, 0);
  }
  return false;
}

void Balance::try_again() {
  patience_ = std::min(2 * patience_, kMostPatience);
  idle_ = 0;
  trials_ = 0;
  timed_ = 0;
  std::fill(alone_.begin(), alone_.end(), kNever);
  std::fill(split_.begin(), split_.end(), kNever);
}

void Balance::watch(double nanoseconds) {
  ++shared_turns_;
  if (nanoseconds > expected_) ++lost_;
  debt_ = std::max(-kMostDebt * expected_, debt_ + nanoseconds - expected_);
  if (lost_ > kMostLost || (expected_ > kLongRun && debt_ > kMostDebt * expected_)) {
    const int longest = static_cast<int>(
        std::min(kLongestRestTime / expected_ + kFirstRest, static_cast<double>(kLongestRest)));
    rest_ = longest_ = std::min(std::max(2 * longest_, kFirstRest), longest);
    shared_turns_ = lost_ = 0;
    debt_ = 0;
  } else if (shared_turns_ == kWindow) {
    longest_ = 0;
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
  double least = 0, best = 0;
  for (int step = begin_; step < end_; ++step) {
    const size_t i = static_cast<size_t>(step - begin_);
    if (alone_[i] == kNever) continue;
    least += alone_[i];
    best += gains(step) ? split_[i] : alone_[i];
  }
  worth_ = best < kGain * least && best < least - kLeastGain;
  // Later turns meet other clocks than the luckiest steps of trials did.
  const int alone = long_ ? kTrialsOfLong - kSharedOfLong : kTrials / 2;
  expected_ = std::min(std::max(timed_ / alone, least), 2 * least);
}

}  // namespace linnet
