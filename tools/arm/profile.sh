#!/bin/bash
# PI=3|4|5 profile.sh OUT PROGRAM.py ARGUMENTS...: runs a Python program in the arm64 root as that
# Raspberry Pi and writes the executed blocks between its markers to OUT. The plugin needs Debian's
# qemu-user (qemu-user-static has no plugins).
. "$(dirname "$0")/board.sh"
counts=$1
shift
with_cpuinfo setarch -R env PYTHONHASHSEED=0 PYTHONPATH="$out/peers" qemu-aarch64 -cpu $cpu \
  -L "$root" -plugin "$out/count.so,out=$counts" "$root/usr/bin/python3" "$@"
