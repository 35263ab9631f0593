// What Cython calls without crossing pybind11; the number guards against a stale build.
#pragma once

static const int kProgramApi = 1;

struct ProgramApi {
  int abi;
  int (*run)(void* program, int begin, int end);
};
