// The body for every machine: SSE2 on x86-64, NEON on arm64.

#define EDDY_NAME(name) name##_baseline
#define EDDY_WIDTH 4
#include "body/body.h"
