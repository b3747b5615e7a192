// Which body runs: the widest that this machine has, or the one that is asked for.

#include "CBackpropKernels.h"

#define EDDY_DECLARE(NAME)                                                                                            \
    int64_t eddy_run_##NAME(struct eddy_network *, const struct eddy_chunk *, uint64_t *);                            \
    void eddy_settle_##NAME(struct eddy_network *);                                                                   \
    void eddy_standardise_##NAME(const struct eddy_standardisation *);                                                \
    void eddy_pass_##NAME(float *, int64_t);                                                                          \
    void eddy_distances_##NAME(const float *, int64_t, int64_t, const float *, const float *, float *);               \
    int64_t eddy_candidates_##NAME(                                                                                   \
        const float *, const int64_t *, int64_t, int64_t, int32_t *, float *, float *);                               \
    void eddy_splits_##NAME(                                                                                          \
        const float *, int64_t, const int32_t *, int64_t, const int32_t *, const float *, const int32_t *,            \
        const float *, const float *, float *);                                                                       \
    void eddy_elementary_##NAME(int64_t, const float *, float *, float *, float *, float *);

EDDY_DECLARE(baseline)

#if defined(__x86_64__)
EDDY_DECLARE(avx2)
EDDY_DECLARE(avx512)

// clang-format off
#define EDDY_DISPATCH(KERNELS, CALL, ...)                                                                             \
    switch (KERNELS) {                                                                                                \
    case EDDY_AVX512: return CALL##_avx512(__VA_ARGS__);                                                              \
    case EDDY_AVX2: return CALL##_avx2(__VA_ARGS__);                                                                  \
    case EDDY_BASELINE: break;                                                                                        \
    }                                                                                                                 \
    return CALL##_baseline(__VA_ARGS__);
// clang-format on

enum eddy_kernels eddy_widest_kernels(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) {
        return EDDY_AVX512;
    }
    return __builtin_cpu_supports("avx2") ? EDDY_AVX2 : EDDY_BASELINE;
}

#else

#define EDDY_DISPATCH(KERNELS, CALL, ...)                                                                             \
    (void)(KERNELS);                                                                                                  \
    return CALL##_baseline(__VA_ARGS__);

enum eddy_kernels eddy_widest_kernels(void) { return EDDY_BASELINE; }

#endif

uint64_t eddy_flush_subnormals(void) {
#if defined(__x86_64__)
    uint32_t mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(mode | 0x8040);  // results to zero, operands to zero
    return mode;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1u << 24));
    return mode;
#else
    return 0;
#endif
}

void eddy_restore(uint64_t mode) {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((uint32_t)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    (void)mode;
#endif
}

static int64_t run(
    enum eddy_kernels kernels, struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    EDDY_DISPATCH(kernels, eddy_run, network, chunk, learned)
}

int64_t eddy_run(
    enum eddy_kernels kernels, struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    uint64_t mode = eddy_flush_subnormals();
    int64_t done = run(kernels, network, chunk, learned);
    eddy_restore(mode);
    return done;
}

static void settle(enum eddy_kernels kernels, struct eddy_network *network) {
    EDDY_DISPATCH(kernels, eddy_settle, network)
}

void eddy_settle(enum eddy_kernels kernels, struct eddy_network *network) {
    uint64_t mode = eddy_flush_subnormals();
    settle(kernels, network);
    eddy_restore(mode);
}

void eddy_standardise(enum eddy_kernels kernels, const struct eddy_standardisation *rows) {
    EDDY_DISPATCH(kernels, eddy_standardise, rows)
}

void eddy_pass(enum eddy_kernels kernels, float *block, int64_t count) {
    EDDY_DISPATCH(kernels, eddy_pass, block, count)
}

void eddy_distances(
    enum eddy_kernels kernels, const float *blocks, int64_t count, int64_t inputs, const float *x,
    const float *factors, float *distances) {
    EDDY_DISPATCH(kernels, eddy_distances, blocks, count, inputs, x, factors, distances)
}

int64_t eddy_candidates(
    enum eddy_kernels kernels, const float *distances, const int64_t *ranges, int64_t k, int64_t limit,
    int32_t *places, float *values, float *bound) {
    EDDY_DISPATCH(kernels, eddy_candidates, distances, ranges, k, limit, places, values, bound)
}

void eddy_splits(
    enum eddy_kernels kernels, const float *rows, int64_t inputs, const int32_t *order, int64_t count,
    const int32_t *features, const float *thresholds, const int32_t *sums, const float *amounts, const float *values,
    float *left) {
    EDDY_DISPATCH(
        kernels, eddy_splits, rows, inputs, order, count, features, thresholds, sums, amounts, values, left)
}

void eddy_elementary(
    enum eddy_kernels kernels, int64_t lanes, const float *x, float *exp, float *log1p, float *sigmoid, float *tanh) {
    EDDY_DISPATCH(kernels, eddy_elementary, lanes, x, exp, log1p, sigmoid, tanh)
}
