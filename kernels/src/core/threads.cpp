#include "core/threads.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <system_error>
#include <thread>

namespace linnet {
namespace {

constexpr int kMaxThreads = 64;
constexpr int kSpinsBeforeYield = 4000;
// Waking a sleeper costs tens of microseconds, more than most steps take: a worker spins through
// the single-threaded steps of a run, and for a moment after it in case another run follows.
constexpr auto kSpinAfterRun = std::chrono::microseconds(60);
constexpr auto kSpinInRun = std::chrono::milliseconds(5);

inline void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

// Never destroyed: workers may outlast static destruction, and a forked child must not touch the
// parent's locks.
ThreadPool* g_pool = nullptr;

void renew_after_fork() { g_pool = new ThreadPool; }

}  // namespace

ThreadPool& ThreadPool::instance() {
  static const bool once = [] {
    g_pool = new ThreadPool;
    pthread_atfork(nullptr, nullptr, renew_after_fork);
    return true;
  }();
  (void)once;
  return *g_pool;
}

void ThreadPool::start(int workers) {
  while (workers_ < workers) {
    const int thread = workers_ + 1;
    const uint64_t seen = word_.load();
    try {
      std::thread([this, thread, seen] { loop(thread, seen); }).detach();
    } catch (const std::system_error&) {
      return;  // no more threads to be had: run with those there are
    }
    ++workers_;
  }
}

int ThreadPool::acquire(int threads, Task task, void* context) {
  if (threads <= 1 || !owner_.try_lock()) return 1;
  start((threads < kMaxThreads ? threads : kMaxThreads) - 1);
  if (workers_ == 0) {
    owner_.unlock();
    return 1;
  }
  task_ = task;
  context_ = context;
  busy_.store(true, std::memory_order_relaxed);
  publish(0);  // wakes the sleepers, asks for nothing
  return threads <= workers_ ? threads : workers_ + 1;
}

void ThreadPool::release() {
  busy_.store(false, std::memory_order_relaxed);
  owner_.unlock();
}

void ThreadPool::publish(uint64_t request) {
  word_.store(static_cast<uint64_t>(++sequence_) << 32 | request, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> lock(sleep_mutex_);
    sleep_.notify_all();
  }
}

void ThreadPool::run(uint32_t index, int parts) {
  pending_.store(parts, std::memory_order_relaxed);
  next_.store(static_cast<uint64_t>(sequence_ + 1) << 32, std::memory_order_release);
  publish(static_cast<uint64_t>(parts) << 24 | index);
  work(word_.load(std::memory_order_relaxed), 0);
  for (int spins = 0; pending_.load(std::memory_order_acquire) > 0; ++spins) {
    if (spins < kSpinsBeforeYield) {
      pause_cpu();
    } else {
      sched_yield();  // more runnable threads than cores: let the worker on
    }
  }
}

void ThreadPool::work(uint64_t word, int thread) {
  const uint64_t parts = word >> 24 & 0xff;
  uint64_t next = next_.load(std::memory_order_acquire);
  while (next >> 32 == word >> 32 && (next & 0xffffffff) < parts) {
    if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
    const int part = static_cast<int>(next & 0xffffffff);
    task_(context_, static_cast<uint32_t>(word & 0xffffff), part, thread);
    pending_.fetch_sub(1, std::memory_order_release);
    next = next_.load(std::memory_order_acquire);
  }
}

uint64_t ThreadPool::wait(uint64_t seen) {
  const auto start = std::chrono::steady_clock::now();
  auto idle_since = start;
  for (;;) {
    for (int i = 0; i < 64; ++i) {
      const uint64_t word = word_.load(std::memory_order_acquire);
      if (word != seen) return word;
      pause_cpu();
    }
    const auto now = std::chrono::steady_clock::now();
    if (busy_.load(std::memory_order_relaxed)) idle_since = now;
    if (now - idle_since > kSpinAfterRun || now - start > kSpinInRun) break;
  }
  std::unique_lock<std::mutex> lock(sleep_mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  sleep_.wait(lock, [&] { return word_.load(std::memory_order_seq_cst) != seen; });
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  return word_.load(std::memory_order_acquire);
}

void ThreadPool::loop(int thread, uint64_t seen) {
  for (;;) {
    seen = wait(seen);
    if (thread < static_cast<int>(seen >> 24 & 0xff)) work(seen, thread);
  }
}

}  // namespace linnet
