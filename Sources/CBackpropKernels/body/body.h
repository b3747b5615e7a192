// The body, included once for each instruction set, under its target and with its names.
//
// EDDY_NAME(name)   the name of a function in this instruction set
// EDDY_WIDTH        Floats in one of its registers: 4, 8 or 16
// EDDY_TARGET       the compiler's target, if not the machine's own baseline

#include "../include/CBackpropKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <string.h>

// Multiplication and addition stay separate: a fused one would round differently.
#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"

#ifdef EDDY_TARGET
#define EDDY_PRAGMA(text) _Pragma(#text)
#define EDDY_PUSH(target) EDDY_PRAGMA(clang attribute push(target, apply_to = function))
EDDY_PUSH(EDDY_TARGET)
#endif

#include "vectors.h"
#include "elementary.h"
#include "dense.h"
#include "rules.h"
#include "deferred.h"
#include "loss.h"
#include "early.h"
#include "step.h"
#include "sparse.h"
#include "chunked.h"
#include "resident.h"
#include "shallow.h"
#include "run.h"
#include "standardise.h"
#include "neighbours.h"
#include "splits.h"

#ifdef EDDY_TARGET
#pragma clang attribute pop
#endif
