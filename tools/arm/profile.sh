#!/bin/bash
# PI=3|4|5 profile.sh OUT PROGRAM.py ARGUMENTS...: runs a Python program in the arm64 root as that
# Raspberry Pi and writes the executed blocks between its markers to OUT. The plugin needs Debian's
# qemu-user (qemu-user-static has no plugins), the private /proc/cpuinfo needs root: with the host's,
# the peers' CPU detection fails.
. "$(dirname "$0")/env.sh"
old="fp asimd evtstrm crc32 cpuid"
case $PI in
  3) cpu=cortex-a53 part=0xd03 features=$old ;;
  4) cpu=cortex-a72 part=0xd08 features=$old ;;
  5) cpu=cortex-a76 part=0xd0b features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp"
     features+=" asimdhp cpuid asimdrdm lrcpc dcpop asimddp" ;;
  *) echo "unknown PI=$PI: use 3, 4 or 5" >&2; exit 2 ;;
esac
counts=$1 root=$out/root-arm64
shift
info=$(mktemp)
for ((i = 0; i < $(nproc); ++i)); do
  printf 'processor\t: %d\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: 8\n' $i "$features"
  printf 'CPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 1\n\n' $part
done > "$info"
exec unshare --mount --propagation private bash -c '
  mount --bind "$0" /proc/cpuinfo; rm -f "$0"; exec "$@"' "$info" \
  setarch -R env PYTHONHASHSEED=0 PYTHONPATH="$out/peers" qemu-aarch64 -cpu $cpu -L "$root" \
  -plugin "$out/count.so,out=$counts" "$root/usr/bin/python3" "$@"
