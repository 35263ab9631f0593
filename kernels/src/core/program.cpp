#include "core/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "core/threads.h"

namespace linnet {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kOverRead = 256;
constexpr size_t kLargePiece = 256 * 1024;
// Estimated time of a thread's part where a step is split until its times are known, and where
// splitting is tried at all.
constexpr double kNanosecondsPerThread = 8000;
constexpr double kLeastNanoseconds = 1500;
// Loops look at the clock now and then, and let the caller look for signals when it is time.
constexpr uint32_t kRoundsPerLook = 16;
constexpr double kPatience = 2e7;

size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

// Zeroes memory. Whole pages of large pieces go back to the system, which hands out zeroed ones
// when they are first used.
void clear(char* memory, size_t size) {
#if defined(__linux__)
  if (size >= kLargePiece) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t before = (page - address % page) % page;
    const size_t whole = (size - before) / page * page;
    if (madvise(memory + before, whole, MADV_DONTNEED) == 0) {
      std::memset(memory, 0, before);
      std::memset(memory + before + whole, 0, size - before - whole);
      return;
    }
  }
#endif
  std::memset(memory, 0, size);
}

}  // namespace

AlignedBytes allocate_aligned(size_t bytes) {
  const size_t size = rounded(std::max<size_t>(bytes, 1));
  if (size < bytes) throw std::bad_alloc();
  void* memory = std::aligned_alloc(kAlignment, size);
  if (memory == nullptr) throw std::bad_alloc();
  clear(static_cast<char*>(memory), size);
  return AlignedBytes(memory);
}

Arena::Arena(size_t bytes) : bytes_(bytes), data_(allocate_aligned(bytes + kOverRead)) {}

void Arena::reserve_scratch(size_t bytes) {
  if (bytes <= scratch_bytes_) return;
  scratch_ = allocate_aligned(bytes);
  scratch_bytes_ = bytes;
}

Program::Program(std::shared_ptr<Arena> arena, const std::string& isa, int threads)
    : arena_(std::move(arena)), isa_(find_isa(isa)), threads_(std::min(std::max(threads, 1), 64)) {}

int Program::add_step(Kernel kernel, AlignedBytes params, Cost cost) {
  const auto threads_for = [&](double nanoseconds) {
    const int wanted = static_cast<int>(std::min(cost.nanoseconds / nanoseconds, 64.0));
    return std::min(std::max(forced_ > 0 ? forced_ : wanted, 1), threads_);
  };
  const int threads = threads_for(kNanosecondsPerThread), most = threads_for(kLeastNanoseconds);
  const size_t scratch = cost.scratch > 0 ? rounded(cost.scratch) + kOverRead : 0;
  if (scratch > scratch_bytes_) {
    arena_->reserve_scratch(scratch * static_cast<size_t>(threads_));
    scratch_bytes_ = scratch;
  }
  steps_.push_back({kernel_function(kernel, isa_), params.get(), threads, kernel, most});
  params_.push_back(std::move(params));
  widest_ = std::max(widest_, most);
  return size() - 1;
}

bool Program::join() {
  if (size() < 2) return false;
  const Step last = steps_.back();
  Step& before = steps_[steps_.size() - 2];
  Tails* tails = before.function == nullptr ? nullptr : tails_of(before.kernel, before.params);
  if (tails == nullptr || tails->count == Tails::kMost || !is_tail(last.kernel)) return false;
  tails->tails[tails->count++] = {last.function, last.params};
  before.threads = std::max(before.threads, last.threads);
  before.most = std::max(before.most, last.most);
  steps_.pop_back();
  return true;
}

void Program::run_part(uint32_t index, int part, int thread) noexcept {
  const Step& step = steps_[index];
  const int threads = std::min(trying_ ? step.most : step.threads, active_);
  char* scratch = static_cast<char*>(arena_->scratch());
  if (scratch != nullptr) scratch += scratch_bytes_ * static_cast<size_t>(thread);
  step.function(step.params, Worker{part, threads, scratch, &error_});
}

void Program::run_task(void* self, uint32_t index, int part, int thread) {
  static_cast<Program*>(self)->run_part(index, part, thread);
}

Outcome Program::run(int& at, int end) noexcept {
  const int begin = at = std::max(at, 0);
  end = std::min(end, size());
  error_ = 0;
  active_ = 1;
  patience_ = 0;
  if (profiling_) return run_profiled(at, end);
  if (widest_ == 1) return run_steps(at, end, nullptr, Turn::alone);
  ThreadPool& pool = ThreadPool::instance();
  // What goes on inside a loop is no stretch of its own.
  if (forced_ > 0 || std::exchange(resumed_, false)) {
    active_ = pool.acquire(widest_, run_task, this);
    const Outcome outcome = run_steps(at, end, nullptr, Turn::shared);
    if (active_ > 1) pool.release();
    return outcome;
  }
  const int last = end_of_stretch(begin, end);
  Balance& balance = balance_of(begin, last);
  const Turn turn = balance.next();
  trying_ = turn == Turn::timed_shared;
  const bool shared = trying_ || turn == Turn::shared;
  const double start = now();
  if (shared) active_ = pool.acquire(widest_, run_task, this);
  const bool counts = !shared || active_ > 1;
  const Outcome outcome = run_steps(at, end, counts ? &balance : nullptr, turn);
  if (active_ > 1) pool.release();
  trying_ = false;
  const bool whole = outcome == kDone || outcome == kHost;
  if (whole && counts && balance.took(turn, now() - start)) settle(balance, begin, last);
  return outcome;
}

Outcome Program::run_profiled(int& at, int end) noexcept {
  const double start = now();
  if (widest_ > 1) active_ = ThreadPool::instance().acquire(widest_, run_task, this);
  const Outcome outcome = run_steps(at, end, nullptr, Turn::shared);
  if (active_ > 1) ThreadPool::instance().release();
  ended_ = now();
  if (elapsed_ == 0) began_ = start;
  elapsed_ += ended_ - start;
  return outcome;
}

Outcome Program::run_steps(int& at, int end, Balance* balance, Turn turn) noexcept {
  ThreadPool* pool = active_ > 1 ? &ThreadPool::instance() : nullptr;
  const bool timed =
      balance != nullptr && (turn == Turn::timed_alone || turn == Turn::timed_shared);
  while (at < end) {
    const int i = at;
    const Step& step = steps_[static_cast<size_t>(i)];
    if (step.function == nullptr) {
      const Outcome outcome = run_flow(at);
      if (outcome != kDone) return outcome;
      continue;
    }
    const double start = profiling_ || timed ? now() : 0;
    const int threads = std::min(trying_ ? step.most : step.threads, active_);
    if (threads > 1) {
      pool->run(static_cast<uint32_t>(i), threads);
    } else {
      run_part(static_cast<uint32_t>(i), 0, 0);
    }
    if (timed) balance->step_took(i, now() - start);
    if (profiling_) {
      times_[static_cast<size_t>(i)] += now() - start;
      starts_[static_cast<size_t>(i)] = start;
    }
    if (__builtin_expect(__atomic_load_n(&error_, __ATOMIC_RELAXED) != 0, 0)) {
      return kBadData;
    }
    ++at;
  }
  return kDone;
}

// Moves `at` to where a step of flow goes.
Outcome Program::run_flow(int& at) noexcept {
  const Flow& step = flow(at);
  switch (step.kind) {
    case Flow::host:
      return kHost;
    case Flow::test:
      at = step.leaves() ? step.target : at + 1;
      return kDone;
    case Flow::jump:
      at = step.target;
      return kDone;
    default:
      if (step.number != nullptr) ++*step.number;
      at = step.target;
      if (++rounds_ % kRoundsPerLook != 0) return kDone;
      if (patience_ == 0) patience_ = now() + kPatience;
      resumed_ = now() > patience_;
      return resumed_ ? kPaused : kDone;
  }
}

int Program::end_of_stretch(int begin, int end) const {
  const auto next = std::lower_bound(hosts_.begin(), hosts_.end(), begin);
  return next == hosts_.end() ? end : std::min(*next, end);
}

Balance& Program::balance_of(int begin, int end) {
  for (Balance& balance : balances_) {
    if (balance.covers(begin, end)) return balance;
  }
  balances_.emplace_back(begin, end);
  return balances_.back();
}

void Program::settle(const Balance& balance, int begin, int end) {
  for (int i = begin; i < end; ++i) {
    Step& step = steps_[static_cast<size_t>(i)];
    step.threads = balance.gains(i) ? step.most : 1;
  }
}

void Program::profile(bool on) {
  profiling_ = on;
  times_.assign(steps_.size(), 0.0);
  starts_.assign(steps_.size(), 0.0);
  elapsed_ = 0;
}

}  // namespace linnet
