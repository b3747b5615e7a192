// Online standardisation of features, in the order and the arithmetic of FeatureScaler (Eddy, Scaling.swift).

typedef double d8 __attribute__((ext_vector_type(8)));
typedef long l8 __attribute__((ext_vector_type(8)));  // what a comparison of doubles gives

/// z = (x − mean) / deviation, held within the bound; 0 where nothing varies.
EDDY_INLINE v8 standard_scores(d8 distance, d8 squares, double share, float bound) {
    v8 variance = __builtin_convertvector(squares * share, v8);
    v8 z = __builtin_convertvector(distance, v8) / __builtin_elementwise_sqrt(variance);
    l8 varies = squares > 0;
    i8 is_extreme = __builtin_convertvector(varies, i8) & ~((variance >= 1e-30f) & (variance <= 1e30f));
    if (EDDY_RARELY(__builtin_reduce_or(is_extreme) != 0)) {  // beyond what a Float's square holds
        d8 precise = distance / __builtin_elementwise_sqrt(squares * share);
        for (int k = 0; k < 8; k++) z[k] = is_extreme[k] ? (float)precise[k] : z[k];
    }
    z = __builtin_convertvector(varies, i8) ? z : (v8)0.0f;
    z = z > bound ? (v8)bound : z;
    z = z < -bound ? (v8)-bound : z;
    return z + 0.0f;
}

void EDDY_NAME(eddy_standardise)(const struct eddy_standardisation *s) {
    double seen = *s->seen;
    for (int64_t i = 0; i < s->count; i++) {
        const float *x = s->features + i * s->inputs;
        bool is_labelled = !__builtin_isnan(s->labels[i]);
        seen += is_labelled;
        double share = seen > 0 ? 1 / seen : 0;
        for (int32_t k = 0; k < s->padded; k += 8) {
            typedef v8 v8u __attribute__((aligned(4)));
            v8 features = 0;
            if (k + 8 <= s->inputs) {
                features = *(const v8u *)(x + k);
            } else if (k < s->inputs) {
                _Alignas(32) float tail[8] = {0};
                memcpy(tail, x + k, sizeof(float) * (size_t)(s->inputs - k));
                features = *(const v8 *)tail;
            }
            d8 *means = (d8 *)(s->means + k), *squares = (d8 *)(s->squares + k);
            d8 value = __builtin_convertvector(features, d8), mean = *means, square = *squares;
            if (is_labelled) {
                d8 delta = value - mean;
                mean += delta * share;
                square += delta * (value - mean);
                *means = mean;
                *squares = square;
            }
            *(v8 *)(s->rows + i * s->stride + k) = standard_scores(value - mean, square, share, s->bound);
        }
    }
    *s->seen = seen;
}

void EDDY_NAME(eddy_pass)(float *block, int64_t count) {
    for (int64_t k = 0; k < count; k += 4 * EDDY_WIDTH) {
        vn *p = registers(block + k);
        p[0] += 1e-9f;
        p[1] += 1e-9f;
        p[2] += 1e-9f;
        p[3] += 1e-9f;
    }
}
