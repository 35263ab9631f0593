#!/bin/bash
# wheel.sh arm64|armhf DEST: cross-builds this checkout's wheel with Debian's cross compilers; the
# target's Python headers and configuration come from the root that mkroot.sh made.
. "$(dirname "$0")/env.sh"
arch=$1 dest=$(realpath -m "$2")
triplet=$(triplet_of "$arch") root=$out/root-$arch
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
config=$out/config-$arch
mkdir -p "$config" "$dest"
cp "$root/usr/lib/python$version/_sysconfigdata__$triplet.py" "$config/"
# Without the target's headers the host's pyconfig.h would give it the host's sizes.
include="-I$root/usr/include/python$version -idirafter $root/usr/include"
if [ "$arch" = armhf ]; then   # NumPy's installed headers hold the host's sizes too
  "$here/numpy_headers.sh" "$config/numpy"
  include="-I$config/numpy $include"
fi
cd "$top"
env PYTHONPATH="$config" _PYTHON_SYSCONFIGDATA_NAME="_sysconfigdata__$triplet" \
  _PYTHON_HOST_PLATFORM="linux-$(machine_of "$arch")" \
  CC="$triplet-gcc" CXX="$triplet-g++" AR="$triplet-ar" NM="$triplet-nm" \
  LDSHARED="$triplet-gcc -shared" LDCXXSHARED="$triplet-g++ -shared" \
  CFLAGS="-O2 -g0 $include" CXXFLAGS="-O2 -g0 $include" LDFLAGS=-s \
  "$python" -m pip wheel . --quiet --no-deps --no-build-isolation --disable-pip-version-check \
  --wheel-dir "$dest"
