# Names that the scripts of this folder share; sourced, not run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${LINNET_ARM:-$top/build/arm}   # roots, wheels and everything else that is made
python=${PYTHON:-python3}

triplet_of() {
  case $1 in
    arm64) echo aarch64-linux-gnu ;;
    armhf) echo arm-linux-gnueabihf ;;
    *) echo "unknown architecture $1: use arm64 or armhf" >&2; return 1 ;;
  esac
}

machine_of() {
  case $1 in arm64) echo aarch64 ;; armhf) echo armv7l ;; esac
}

# compile_all FOLDER: the emulator would compile at every start; bytecode is the same everywhere.
compile_all() {
  PYTHONDONTWRITEBYTECODE= "$python" -m compileall -q -j0 "$1" > /dev/null || true
}
