#!/bin/bash
# numpy_headers.sh DEST: the installed NumPy's headers with the type sizes of a 32-bit target.
. "$(dirname "$0")/env.sh"
source=$("$python" -c 'import numpy; print(numpy.get_include())')
mkdir -p "$1"
cp -r "$source/." "$1/"
sed -i -E 's/(NPY_SIZEOF_(LONG|PY_INTPTR_T|INTP|UINTP|WCHAR_T)) 8/\1 4/; s/(NPY_SIZEOF_LONGDOUBLE) 16/\1 8/
  s/(NPY_SIZEOF_COMPLEX_LONGDOUBLE) 32/\1 16/' "$1/numpy/_numpyconfig.h"
