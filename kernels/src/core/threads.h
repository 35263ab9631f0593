// The process-wide thread pool. Workers wait for steps of a running program: they spin while one
// runs (for milliseconds at most) and shortly after, then sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace linnet {

class ThreadPool {
 public:
  using Task = void (*)(void* context, uint32_t index, int part, int thread);

  // The pool of this process (a forked child gets its own).
  static ThreadPool& instance();

  // Takes the pool for one run with up to `threads` threads, the caller among them. Returns how
  // many the run may use: 1 where another run holds the pool. Call release() after a result > 1.
  int acquire(int threads, Task task, void* context);
  void release();

  // Runs task(context, index, part, thread) for every part < parts and waits. Whoever is free takes
  // the next part, so that the caller does the work of a worker that the system has not scheduled;
  // `thread` < parts says who it is.
  void run(uint32_t index, int parts);

 private:
  void start(int workers);
  void loop(int thread, uint64_t seen);
  uint64_t wait(uint64_t seen);
  void work(uint64_t word, int thread);
  void publish(uint64_t request);

  std::mutex owner_;
  std::mutex sleep_mutex_;
  std::condition_variable sleep_;
  // Sequence number (high 32 bits), parts (8 bits), step index (24 bits): one word, so that a
  // worker never pairs one step's number with another's index.
  alignas(64) std::atomic<uint64_t> word_{0};
  // Sequence number and the next part to take: a late worker cannot take a part of another step.
  alignas(64) std::atomic<uint64_t> next_{0};
  alignas(64) std::atomic<int> pending_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> busy_{false};  // a run holds the pool
  Task task_ = nullptr;
  void* context_ = nullptr;
  uint32_t sequence_ = 0;
  int workers_ = 0;
};

}  // namespace linnet
