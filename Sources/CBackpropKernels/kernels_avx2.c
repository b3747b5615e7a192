// The body for AVX2.

#if defined(__x86_64__)
#define EDDY_NAME(name) name##_avx2
#define EDDY_WIDTH 8
#define EDDY_TARGET __attribute__((target("avx2"), min_vector_width(256)))
#include "body/body.h"
#endif
