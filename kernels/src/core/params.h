// Parameter structs of every kernel family.
#pragma once

#include "attention/params.h"
#include "depthwise/params.h"
#include "elementwise/params.h"
#include "float/params.h"
#include "int16/params.h"
#include "int8/params.h"
#include "linear/params.h"
#include "move/params.h"
#include "norm/params.h"
#include "peak/params.h"
#include "recurrent/params.h"
#include "reduce/params.h"
#include "select/params.h"
#include "sparse/params.h"
#include "trees/params.h"
