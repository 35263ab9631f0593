#!/bin/bash
# PI=3|4|5|max|armhf python.sh ARGUMENTS...: the emulated root's Python as that Raspberry Pi would
# run it. An instruction that the CPU lacks ends it with SIGILL. Needs no privileges.
. "$(dirname "${BASH_SOURCE[0]}")/board.sh"
qemu=qemu-aarch64-static
[ $arch = arm64 ] || qemu=qemu-arm-static
# Tests that start sys.executable come back through this script (sitecustomize of the root).
export LINNET_ARM_PYTHON=$here/python.sh LINNET_ARM=$out
export OPENBLAS_NUM_THREADS=1   # NumPy's: starting more takes each process a quarter of a second
with_cpuinfo "$qemu" -cpu "$cpu" -L "$root" "$root/usr/bin/python3" "$@"
