# What python.sh and profile.sh know of PI=3|4|5|max|armhf; sourced, not run. Sets arch and cpu and
# defines with_cpuinfo.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
arch=arm64 part=0xd03 features="fp asimd evtstrm crc32 cpuid"
case ${PI:-max} in
  3) cpu=cortex-a53 ;;
  4) cpu=cortex-a72 part=0xd08 ;;
  5 | max) cpu=cortex-a76 part=0xd0b features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp"
     features+=" asimdhp cpuid asimdrdm lrcpc dcpop asimddp" ;;
  armhf) cpu=cortex-a15 arch=armhf ;;  # NEON and VFPv4, nothing of ARMv8
  *) echo "unknown PI=$PI: use 3, 4, 5, max or armhf" >&2; exit 2 ;;
esac
[ "${PI:-max}" != max ] || cpu=max
root=$out/root-$arch

# with_cpuinfo COMMAND...: becomes COMMAND, which sees the board's /proc/cpuinfo where namespaces
# can be had: with the host's, the CPU detection of ONNX Runtime and LiteRT ends in SIGSEGV.
with_cpuinfo() {
  if [ $arch = armhf ] || [ -n "${LINNET_ARM_CPUINFO:-}" ] ||
    ! unshare --user --map-root-user --mount true 2> /dev/null; then
    exec "$@"
  fi
  local info=$out/cpuinfo-$part
  if [ ! -e "$info" ]; then
    for ((i = 0; i < $(nproc); ++i)); do
      printf 'processor\t: %d\nFeatures\t: %s\nCPU implementer\t: 0x41\n' $i "$features"
      printf 'CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 1\n\n' $part
    done > "$info.$$"
    mv "$info.$$" "$info"
  fi
  LINNET_ARM_CPUINFO=1 exec unshare --user --map-root-user --mount --propagation private bash -c '
    mount --bind "$0" /proc/cpuinfo && exec "$@"' "$info" "$@"
}
