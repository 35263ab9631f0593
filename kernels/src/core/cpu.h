// What this CPU and this process may use.
#pragma once

#include <string>
#include <vector>

namespace linnet {

// Whether this CPU, under this operating system, runs code compiled for the named ISA.
bool cpu_runs(const std::string& isa);

// Names of the detected instruction-set features that kernels care about.
std::vector<std::string> cpu_features();

// CPUs that this process may use at once: the affinity mask cut by the cgroup quota, at least 1.
int usable_cpus();

}  // namespace linnet
