#!/bin/bash
# msgspec.sh DEST: cross-builds msgspec, of which PyPI has no wheel for armv7l, for the armhf root.
. "$(dirname "$0")/env.sh"
arch=armhf dest=$(realpath -m "$1")
triplet=$(triplet_of $arch) root=$out/root-$arch
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
include="-I$root/usr/include/python$version -idirafter $root/usr/include"
mkdir -p "$out/wheels" "$out/config-$arch" "$dest"
cp "$root/usr/lib/python$version/_sysconfigdata__$triplet.py" "$out/config-$arch/"
env PYTHONPATH="$out/config-$arch" _PYTHON_SYSCONFIGDATA_NAME="_sysconfigdata__$triplet" \
  _PYTHON_HOST_PLATFORM="linux-$(machine_of $arch)" CC="$triplet-gcc" LDSHARED="$triplet-gcc -shared" \
  CFLAGS="-O2 -g0 $include" LDFLAGS=-s "$python" -m pip wheel msgspec --quiet --no-deps \
  --no-binary msgspec --no-build-isolation --disable-pip-version-check --wheel-dir "$out/wheels"
"$python" -m zipfile -e "$out/wheels/"msgspec-*armv7l.whl "$dest"
