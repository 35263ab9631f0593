#!/bin/bash
# test.sh [3|4|5|max|armhf]...: kernels, ops and golden bytes as those Raspberry Pis under emulation.
# LINNET_ARM_TESTS names other tests.
. "$(dirname "$0")/env.sh"
[ $# -gt 0 ] || set -- 3 4 5 max armhf
tests=${LINNET_ARM_TESTS:-tests/kernels tests/ops tests/unit/test_session.py tests/unit/test_threads.py tests/golden}
cd "$top"
case " $* " in *" armhf "*) "$here/setup.sh" armhf ;; esac
case "$*" in *[345x]*) "$here/setup.sh" arm64 ;; esac
"$python" "$here/golden.py" record "$out/golden"
for pi in "$@"; do
  echo "== as Raspberry Pi $pi"
  PI=$pi "$here/python.sh" "$here/golden.py" check "$out/golden"
  # shellcheck disable=SC2086 # several paths
  PI=$pi "$here/python.sh" -m pytest -q -p no:cacheprovider $tests
done
