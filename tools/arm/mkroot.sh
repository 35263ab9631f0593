#!/bin/bash
# mkroot.sh arm64|armhf PACKAGE...: unpacks a Debian root for another architecture into the output
# folder. No maintainer script runs, nothing is mounted or emulated; apt works on a private
# configuration, so the host's packages stay as they are. The packages come from the host's mirror.
. "$(dirname "$0")/env.sh"
arch=$1 dest=$out/root-$1 work=$out/apt-$1
shift
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d} "$dest"
: > "$work/status"
mirror=$({ cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null || :; } |
  sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p' | head -1)
suite=$(. /etc/os-release; echo "$VERSION_CODENAME")
# The release suite only: a root for tests needs no other, and one index cannot be out of step.
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian} $suite main" > "$work/etc/debian.list"
cat > "$work/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Get::Assume-Yes "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$work/etc";
Dir::Etc::Parts "$work/etc/apt.conf.d";
Dir::Etc::PreferencesParts "$work/etc/preferences.d";
CONF
export APT_CONFIG="$work/apt.conf"
apt-get -qq update
apt-get -qq install --download-only "$@" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
mkdir -p "$dest"/usr/{bin,sbin,lib}   # merged as base-files would do it
for folder in bin sbin lib; do [ -e "$dest/$folder" ] || ln -s "usr/$folder" "$dest/$folder"; done
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" |
    tar -x --keep-directory-symlink --no-same-owner -C "$dest" -f -
done
for name in blas lapack; do   # what update-alternatives would link
  for file in "$dest"/usr/lib/*-linux-gnu*/$name/lib$name.so.3; do
    [ ! -e "$file" ] || ln -sf "$name/lib$name.so.3" "${file%/*/*}/lib$name.so.3"
  done
done
mkdir -p "$dest"/{tmp,dev,proc,sys,root}
# Bytecode from the host's Python of the same version: imports under emulation take half the time.
for folder in "$dest"/usr/lib/python3.*; do
  host=$(command -v "python${folder##*/python}" || true)
  [ -z "$host" ] || PYTHONDONTWRITEBYTECODE= "$host" -m compileall -q -j0 -s "$dest" -p / \
    "$folder" "$dest/usr/lib/python3" > /dev/null || true
done
