#include "core/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "core/order.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace linnet {
namespace {

#if defined(__x86_64__) || defined(__i386__)

// The operating system must save the wider registers too, hence XGETBV beside CPUID.
struct Features {
  bool avx2 = false, fma = false, f16c = false, avx512 = false, vnni = false, vbmi = false;

  Features() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const bool has_xsave = (c >> 27) & 1, has_avx = (c >> 28) & 1;
    const bool has_fma = (c >> 12) & 1, has_f16c = (c >> 29) & 1;
    if (!has_xsave || !has_avx) return;
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    fma = has_fma;
    f16c = has_f16c;
    avx2 = (b >> 5) & 1;
    const unsigned needed = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
    avx512 = (low & 0xe6) == 0xe6 && (b & needed) == needed;
    vnni = avx512 && ((c >> 11) & 1);
    vbmi = avx512 && ((c >> 1) & 1);
  }
};

#elif defined(__aarch64__)

// Linux HWCAP bits of arch/arm64/include/uapi/asm/hwcap.h.
struct Features {
  bool dotprod = (getauxval(AT_HWCAP) >> 20) & 1;
  bool i8mm = (getauxval(AT_HWCAP2) >> 13) & 1;
  bool in_order = false;

  Features() {
    if (((getauxval(AT_HWCAP) >> 11) & 1) == 0) return;  // else the kernel answers for MIDR_EL1
    uint64_t midr = 0;
    __asm__("mrs %0, midr_el1" : "=r"(midr));
    const uint64_t maker = midr >> 24 & 0xff, part = midr >> 4 & 0xfff;
    in_order = maker == 0x41 && (part == 0xd03 || part == 0xd04);  // Arm's Cortex-A53, A35
  }
};

#else

struct Features {};

#endif

const Features& features() {
  static const Features found;
  return found;
}

// Reads up to two positive numbers at the start of a file; what is none stays 0. Streams of the
// standard library would bring half a megabyte of locales along.
void read_numbers(const char* path, double& first, double& second) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return;
  char text[64] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  char *end = text, *last = text + size;
  first = std::max(std::strtod(text, &end), 0.0);
  if (end != text && end < last) second = std::max(std::strtod(end, &end), 0.0);
}

// CPUs allowed by cgroup v2 or v1 as seen from inside a container; 0 where unlimited or unknown.
double cgroup_cpus() {
  double quota = 0, period = 0, none = 0;
  read_numbers("/sys/fs/cgroup/cpu.max", quota, period);
  if (period == 0) {
    read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, none);
    read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, none);
  }
  return period > 0 ? quota / period : 0.0;
}

}  // namespace

bool cpu_runs(const std::string& isa) {
  if (isa == "base") return true;
#if defined(__x86_64__) || defined(__i386__)
  const bool avx2 = features().avx2 && features().fma && features().f16c;
  if (isa == "avx2") return avx2;
  if (isa == "avx512vnni") return avx2 && features().vnni;
#elif defined(__aarch64__)
  if (isa == "dotprod") return features().dotprod;
  if (isa == "i8mm") return features().dotprod && features().i8mm;
#endif
  return false;
}

bool core_in_order() noexcept {
#if defined(__aarch64__)
  return features().in_order;
#else
  return false;
#endif
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
  const auto note = [&names](bool present, const char* name) {
    if (present) names.push_back(name);
  };
  (void)note;
#if defined(__x86_64__) || defined(__i386__)
  note(features().avx2, "avx2");
  note(features().fma, "fma");
  note(features().f16c, "f16c");
  note(features().avx512, "avx512");
  note(features().vnni, "avx512vnni");
  note(features().vbmi, "avx512vbmi");
#elif defined(__aarch64__)
  note(true, "neon");
  note(features().dotprod, "dotprod");
  note(features().i8mm, "i8mm");
  note(features().in_order, "in-order");
#endif
  return names;
}

int usable_cpus() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
  const double quota = cgroup_cpus();
  if (quota > 0) count = std::min(count, static_cast<int>(std::ceil(quota)));
  return std::max(count, 1);
}

}  // namespace linnet
