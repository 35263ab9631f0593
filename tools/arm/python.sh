#!/bin/bash
# PI=3|4|5|max|armhf python.sh ARGUMENTS...: the emulated root's Python as that Raspberry Pi would
# run it. An instruction that the CPU lacks ends it with SIGILL. Needs no privileges.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
arch=arm64 qemu=qemu-aarch64-static
case ${PI:-max} in
  3) cpu=cortex-a53 ;;
  4) cpu=cortex-a72 ;;
  5) cpu=cortex-a76 ;;
  max) cpu=max ;;
  armhf) cpu=cortex-a15 arch=armhf qemu=qemu-arm-static ;;  # NEON and VFPv4, nothing of ARMv8
  *) echo "unknown PI=$PI: use 3, 4, 5, max or armhf" >&2; exit 2 ;;
esac
root=$out/root-$arch
# Tests that start sys.executable come back through this script (sitecustomize of the root).
export LINNET_ARM_PYTHON=$here/python.sh LINNET_ARM=$out
exec "$qemu" -cpu "$cpu" -L "$root" "$root/usr/bin/python3" "$@"
