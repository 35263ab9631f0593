// The process-wide thread pool. Workers wait for steps of a running program; they spin briefly
// while one runs and shortly after, then sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace linnet {

class ThreadPool {
 public:
  using Task = void (*)(void* context, uint32_t index, int thread);

  // The pool of this process (a forked child gets its own).
  static ThreadPool& instance();

  // Takes the pool for one run with up to `threads` threads, the caller among them. Returns how
  // many the run may use: 1 where another run holds the pool. Call release() after a result > 1.
  int acquire(int threads, Task task, void* context);
  void release();

  // Runs task(context, index, t) for every t < threads, t = 0 on the caller, and waits.
  void run(uint32_t index, int threads);

 private:
  void start(int workers);
  void loop(int thread, uint64_t seen);
  uint64_t wait(uint64_t seen);
  void publish(uint64_t request);

  std::mutex owner_;
  std::mutex sleep_mutex_;
  std::condition_variable sleep_;
  // Sequence number (high 32 bits), threads taking part (8 bits), step index (24 bits): one word,
  // so that a worker never pairs one step's number with another's index.
  alignas(64) std::atomic<uint64_t> word_{0};
  alignas(64) std::atomic<int> pending_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  Task task_ = nullptr;
  void* context_ = nullptr;
  uint32_t sequence_ = 0;
  int workers_ = 0;
};

}  // namespace linnet
