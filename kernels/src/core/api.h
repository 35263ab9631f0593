// What Cython calls without crossing pybind11; the number guards against a stale build.
#pragma once

static const int kProgramApi = 2;

// How a run ended.
enum Outcome {
  kDone,
  kBadData,  // a step met it
  kHost,     // a step is the caller's to do; the run goes on behind it
  kPaused,   // a loop has run for long: the caller may look for signals, then go on at the step
};

struct ProgramApi {
  int abi;
  // Runs steps from *at to `end`; *at becomes the step where the run ended. Returns an Outcome.
  int (*run)(void* program, int* at, int end);
};
