#!/bin/bash
# setup.sh arm64|armhf [suite|kernels]: makes the architecture's root, cross-builds this checkout's
# wheel and installs it there with what its tests need (or those of kernels only). Roots are kept;
# delete build/arm to make them anew.
. "$(dirname "$0")/env.sh"
arch=$1 triplet=$(triplet_of "$1")
machine=$(machine_of "$1")
"$here/tools.sh" "g++-$triplet" "gcc-$triplet" qemu-user-static
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
root=$out/root-$arch packages=$out/root-$arch/usr/local/lib/python$version/dist-packages
more=()
[ "$arch" = arm64 ] || more=(libatomic1 python3-numpy)   # PyPI has no NumPy for armv7l
[ -e "$root/usr/bin/python3" ] || "$here/mkroot.sh" "$arch" python3 libpython3-dev libstdc++6 "${more[@]}"
if [ ! -e "$root/usr/bin/python$version" ]; then
  echo "this is Python $version, but $(. /etc/os-release; echo "$VERSION_CODENAME") has another: use its own"
  exit 1
fi
rm -f "$out/wheels/"*"linux_$machine.whl"
"$here/wheel.sh" "$arch" "$out/wheels"
wheel=$(echo "$out/wheels/"*"linux_$machine.whl")
if [ ! -d "$packages/pytest" ]; then
  if [ "$arch" = arm64 ]; then
    "$here/pip.sh" "$arch" "$packages" numpy msgspec pytest hypothesis
  else
    "$here/msgspec.sh" "$packages"
    "$here/pip.sh" "$arch" "$packages" pytest hypothesis
  fi
fi
if [ "${2:-suite}" = suite ] && [ ! -d "$packages/tflite" ]; then
  more=()   # PyPI has no armv7l wheels of these; tests that need them skip, see absent.py
  [ "$arch" = armhf ] || more=(onnx onnxruntime ai-edge-litert pillow tokenizers)
  "$here/pip.sh" "$arch" "$packages" "flatbuffers>=23.5" rich jsonschema pytest-benchmark \
    "${more[@]}"
  "$here/pip.sh" "$arch" "$packages" --no-deps "tflite>=2.18"
fi
rm -rf "$packages/linnet"
"$python" -m zipfile -e "$wheel" "$packages"
cp "$here/sitecustomize.py" "$packages/"
compile_all "$packages/linnet"
