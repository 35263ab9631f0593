// Registration of the kernel families with Python.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "core/params.h"
#include "core/program.h"

namespace linnet {

using ProgramClass = pybind11::class_<Program>;

// An address handed over by Python as a typed pointer.
template <class T>
T* at(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

void bind_int8(ProgramClass& program);
void bind_float(ProgramClass& program);
void bind_depthwise(ProgramClass& program);
void bind_reduce(ProgramClass& program);
void bind_elementwise(ProgramClass& program);
void bind_norm(ProgramClass& program);
void bind_move(ProgramClass& program);
void bind_attention(ProgramClass& program);

}  // namespace linnet
