// What registering kernels with Python needs. Each family has a bind.h; core/bind.cpp includes
// them all, because pybind11 costs seconds in every unit that includes it.
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

}  // namespace linnet
