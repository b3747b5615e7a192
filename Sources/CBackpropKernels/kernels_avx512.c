// The body for AVX-512.

#if defined(__x86_64__)
#define EDDY_NAME(name) name##_avx512
#define EDDY_WIDTH 16
#define EDDY_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi,bmi2"), min_vector_width(512)))
#include "body/body.h"
#endif
