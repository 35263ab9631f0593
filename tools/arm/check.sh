#!/bin/bash
# Compiles every ISA unit for aarch64 (each ISA) and armhf without making objects: whether a change
# to the kernels still builds for Arm. Under a minute; needs only the cross compilers.
# check.sh [base|dotprod|i8mm|armhf]...
. "$(dirname "$0")/env.sh"
cd "$top"
[ $# -gt 0 ] || set -- base dotprod i8mm armhf
"$python" - "$@" <<'PYTHON'
import os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.argv, wanted = ["setup.py"], sys.argv[1:]
source = Path("setup.py").read_text().rpartition("\nmain()")[0]
scope = {"__file__": "setup.py", "__name__": "tables"}
exec(compile(source, "setup.py", "exec"), scope)
rows = "-DLINNET_ISA_ROWS=LINNET_ISA_ROW(base)"
jobs = []
for name in wanted:
    machine, isa = ("armv7l", "base") if name == "armhf" else ("aarch64", name)
    compiler = "arm-linux-gnueabihf-g++" if name == "armhf" else "aarch64-linux-gnu-g++"
    flags = [*scope["CXX_FLAGS"], *scope["ISAS"][machine][isa], *scope["ISA_UNIT_FLAGS"]]
    macros = [f"-DLINNET_ISA={isa}", f"-DLINNET_ISA_{isa}=1", rows]
    for unit in sorted(Path("kernels/src").rglob("unit*.cpp")):
        jobs.append([compiler, "-fsyntax-only", "-Werror", "-Ikernels/src", *flags, *macros, str(unit)])
with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    failed = [job for job, run in zip(jobs, pool.map(subprocess.run, jobs)) if run.returncode]
for job in failed:
    print("does not compile:", job[-1], "with", job[0])
print(f"{len(jobs) - len(failed)} of {len(jobs)} units compile for {', '.join(wanted)}")
sys.exit(bool(failed))
PYTHON
