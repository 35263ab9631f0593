#!/bin/bash
# wheels.sh [DEST]: release wheels for x86_64, aarch64 and armv7l in DEST (default dist), checked:
# size, what auditwheel says, and the tag that follows.
. "$(dirname "$0")/env.sh"
dest=$(realpath -m "${1:-$top/dist}")
limit=3000000
export LINNET_PORTABLE=1
cd "$top"
"$here/tools.sh" g++-aarch64-linux-gnu gcc-aarch64-linux-gnu g++-arm-linux-gnueabihf gcc-arm-linux-gnueabihf
for arch in arm64 armhf; do
  more=()
  [ $arch = arm64 ] || more=(libatomic1 python3-numpy)
  [ -e "$out/root-$arch/usr/bin/python3" ] ||
    "$here/mkroot.sh" $arch python3 libpython3-dev libstdc++6 "${more[@]}"
done
mkdir -p "$dest"
rm -f "$dest"/linnet-*.whl build/lib.linux-*/linnet/kernels/_core*   # linked differently before
"$python" -m pip wheel . --quiet --no-deps --no-build-isolation --disable-pip-version-check \
  --wheel-dir "$dest"
"$here/wheel.sh" arm64 "$dest"
"$here/wheel.sh" armhf "$dest"
rm -f build/lib.linux-*/linnet/kernels/_core*
for wheel in "$dest"/linnet-*linux_*.whl; do
  report=$("$python" -m auditwheel show "$wheel" | tr '\n' ' ')
  tag=$(grep -oE 'manylinux_2_[0-9]+_[a-z0-9_]+' <<< "$report" | sort -Vu | head -1)
  size=$(stat -c %s "$wheel")
  echo "$(basename "$wheel"): $size bytes, runs as ${tag:-$report}"
  [ "$size" -le $limit ] || { echo "larger than $limit bytes"; exit 1; }
  case $wheel in
    *armv7l.whl) continue ;;   # pip on 32-bit Raspberry Pi OS takes linux_armv7l
    *x86_64.whl) wanted=manylinux_2_17_x86_64 ;;
    *) wanted=manylinux_2_17_aarch64 ;;
  esac
  oldest=$(printf '%s\n' "${tag#manylinux_2_}" "${wanted#manylinux_2_}" | sort -V | tail -1)
  [ "manylinux_2_$oldest" = "$wanted" ] || { echo "needs more than $wanted: $report"; exit 1; }
  "$python" -m wheel tags --remove --platform-tag "$wanted" "$wheel" > /dev/null
done
ls -l "$dest"
