#!/bin/bash
# estimate.sh ARGUMENTS...: makes what estimate.py needs (roots, peers' wheels, the plugin), runs it.
. "$(dirname "$0")/env.sh"
"$here/tools.sh" g++-aarch64-linux-gnu gcc-aarch64-linux-gnu qemu-user qemu-user-static llvm-19
"$here/setup.sh" arm64
[ -d "$out/peers" ] || "$here/pip.sh" arm64 "$out/peers" ai-edge-litert onnxruntime
gcc -O2 -shared -fPIC -o "$out/count.so" "$here/count.c"
aarch64-linux-gnu-gcc -O2 -shared -fPIC -o "$out/marker.so" "$here/marker.c"
LINNET_ARM=$out "$python" "$here/estimate.py" --write "$@"
