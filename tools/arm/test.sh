#!/bin/bash
# test.sh [3|4|5|max|armhf]...: golden bytes and the suite, less the rules for sources, as those
# Raspberry Pis under emulation: hours for all of it. A failure ends nothing; every folder's log is
# in build/arm/test-PI, skipped tests with their reasons. LINNET_ARM_TESTS names other tests.
. "$(dirname "$0")/env.sh"
[ $# -gt 0 ] || set -- 3 4 5 max armhf
suite="tests/kernels tests/golden tests/ops tests/unit tests/converters tests/models"
tests=${LINNET_ARM_TESTS:-$suite tests/quantization tests/pruning tests/attacks}
cd "$top"
case " $* " in *" armhf "*) "$here/setup.sh" armhf ;; esac
case "$*" in *[345x]*) "$here/setup.sh" arm64 ;; esac
"$python" "$here/golden.py" record "$out/golden"
failed=0
for pi in "$@"; do
  echo "== as Raspberry Pi $pi"
  export PI=$pi PYTHONPATH=$here
  mkdir -p "$out/test-$pi"
  run() {   # run NAME ARGUMENTS...: one line about what is in its log
    local log=$out/test-$pi/$1.log code=0
    shift
    "$here/python.sh" "$@" > "$log" 2>&1 || code=$?
    [ $code = 0 ] || [ $code = 5 ] || failed=1   # 5: no tests there
    echo "$(basename "$log" .log): $(tail -1 "$log") (exit code $code)"
  }
  run golden-bytes "$here/golden.py" check "$out/golden"
  for folder in $tests; do
    run "${folder//\//-}" -m pytest -rs -p absent -p no:cacheprovider "$folder"
  done
done
exit $failed
