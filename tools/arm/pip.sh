#!/bin/bash
# pip.sh arm64|armhf DEST REQUIREMENT...: installs wheels for the architecture into the folder DEST
# with the host's pip; nothing foreign runs.
. "$(dirname "$0")/env.sh"
arch=$1 dest=$(realpath -m "$2")
shift 2
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
platforms=()
for tag in manylinux_2_36 manylinux_2_35 manylinux_2_34 manylinux_2_31 manylinux_2_28 \
  manylinux_2_27 manylinux_2_26 manylinux_2_24 manylinux_2_17 manylinux2014 linux; do
  platforms+=(--platform "${tag}_$(machine_of "$arch")")
done
mkdir -p "$dest"
"$python" -m pip install --quiet --quiet --disable-pip-version-check --no-compile --upgrade \
  --only-binary=:all: "${platforms[@]}" --python-version "$version" --implementation cp \
  --target "$dest" "$@"
compile_all "$dest"
