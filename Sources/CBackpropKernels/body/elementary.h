// exp, log, sigmoid and tanh: the same operations in the same order as Elementary.swift, which explains them.
//
// Written once for vectors of 4, 8 and 16: a number alone is computed as a vector of four.

#define EDDY_ELEMENTARY(V, I, U, SUFFIX)                                                                              \
    /* 2ⁿ · e^r, where shifted = n + 1.5 · 2²³ and |r| ≤ ½ ln 2. */                                                   \
    EDDY_INLINE V power_##SUFFIX(V shifted, V r) {                                                                    \
        V r2 = r * r;                                                                                                 \
        V p = (5.0000001e-1f + r * 1.66666655e-1f) + (4.1665796e-2f + r * 8.3334519e-3f) * r2                         \
            + (1.39819995e-3f + r * 1.98756915e-4f) * (r2 * r2);                                                      \
        U exponent = ((U)shifted - 0x4B400000u) << 23;                                                                \
        return (V)((U)(p * r2 + (1.0f + r)) + exponent);                                                              \
    }                                                                                                                 \
                                                                                                                      \
    EDDY_INLINE V exp_##SUFFIX(V x) {                                                                                 \
        V below = x > 88.3f ? (V)88.3f : x;                                                                           \
        V clamped = below < -87.3f ? (V)-87.3f : below;                                                               \
        V shifted = clamped * 1.44269504f + 12582912.0f;                                                              \
        V n = shifted - 12582912.0f;                                                                                  \
        V r = (clamped - n * 0.693359375f) - n * -2.1219444e-4f;                                                      \
        return x != x ? x : power_##SUFFIX(shifted, r);                                                               \
    }                                                                                                                 \
                                                                                                                      \
    /* Of a positive normal number. */                                                                                \
    EDDY_INLINE V log_##SUFFIX(V x) {                                                                                 \
        U bits = (U)x - 0x3F3504F3u;                                                                                  \
        V n = __builtin_convertvector((I)bits >> 23, V);                                                              \
        V f = (V)((bits & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;                                                         \
        V z = f * f;                                                                                                  \
        V p = (V)7.0376836e-2f;                                                                                       \
        p = p * f - 1.151461e-1f;                                                                                     \
        p = p * f + 1.16769987e-1f;                                                                                   \
        p = p * f - 1.2420141e-1f;                                                                                    \
        p = p * f + 1.4249323e-1f;                                                                                    \
        p = p * f - 1.6668058e-1f;                                                                                    \
        p = p * f + 2.0000715e-1f;                                                                                    \
        p = p * f - 2.4999994e-1f;                                                                                    \
        p = p * f + 3.3333331e-1f;                                                                                    \
        V y = f * z * p;                                                                                              \
        y = y + n * -2.1219444e-4f;                                                                                   \
        y = y - 0.5f * z;                                                                                             \
        return (f + y) + n * 0.693359375f;                                                                            \
    }                                                                                                                 \
                                                                                                                      \
    /* log(1 + u) for u in [0, 1]. */                                                                                 \
    EDDY_INLINE V log1p_##SUFFIX(V u) {                                                                               \
        V w = 1.0f + u;                                                                                               \
        V corrected = log_##SUFFIX(w) * u / (w - 1.0f);                                                               \
        return w == 1.0f ? u : corrected;                                                                             \
    }                                                                                                                 \
                                                                                                                      \
    EDDY_INLINE V magnitude_##SUFFIX(V x) { return (V)((U)x & 0x7FFFFFFFu); }                                         \
                                                                                                                      \
    /* 1 / (1 + e⁻ˣ), given e^−|x|. */                                                                                \
    EDDY_INLINE V sigmoid_given_##SUFFIX(V x, V e) {                                                                  \
        V above = x < 0.0f ? e : (V)1.0f;                                                                             \
        return above / (1.0f + e);                                                                                    \
    }                                                                                                                 \
                                                                                                                      \
    EDDY_INLINE V sigmoid_##SUFFIX(V x) { return sigmoid_given_##SUFFIX(x, exp_##SUFFIX(-magnitude_##SUFFIX(x))); }   \
                                                                                                                      \
    EDDY_INLINE V tanh_##SUFFIX(V x) {                                                                                \
        V a = magnitude_##SUFFIX(x);                                                                                  \
        V z = x * x, z2 = z * z;                                                                                      \
        V p = (-3.3333282e-1f + z * 1.3331442e-1f)                                                                    \
            + ((-5.3739716e-2f + z * 2.0639089e-2f) + z2 * -5.7049887e-3f) * z2;                                      \
        V small = (p * z) * x + x;                                                                                    \
        V one = (V)(((U)x & 0x80000000u) | 0x3F800000u);                                                              \
        /* e^2|x|, of use where |x| is neither small nor so large that tanh is 1. */                                  \
        V shifted = a * 2.88539008f + 12582912.0f;                                                                    \
        V n = shifted - 12582912.0f;                                                                                  \
        V r = (a + a - n * 0.693359375f) - n * -2.1219444e-4f;                                                        \
        V e = power_##SUFFIX(shifted, r);                                                                             \
        V large = (V)((U)(e - 1.0f) | ((U)x & 0x80000000u)) / (e + 1.0f);                                             \
        V outside = a >= 0.625f ? one : small;                                                                        \
        return ((a >= 0.625f) & (a <= 9.1f)) ? large : outside;                                                       \
    }

EDDY_ELEMENTARY(v16, i16, u16, 16)
EDDY_ELEMENTARY(v8, i8, u8, 8)
EDDY_ELEMENTARY(v4, i4, u4, 4)
#if EDDY_WIDTH == 16
#define EDDY_EACH(function) function##_16
#elif EDDY_WIDTH == 8
#define EDDY_EACH(function) function##_8
#else
#define EDDY_EACH(function) function##_4
#endif

/// Without the library's call for what is negative.
EDDY_INLINE float square_root(float x) { return __builtin_elementwise_sqrt(x); }

/// A function of one number.
EDDY_INLINE v4 four_times(float x) { return (v4){x, x, x, x}; }
#define EDDY_ONE(function, x) (function##_4(four_times(x))[0])

void EDDY_NAME(eddy_elementary)(
    int64_t lanes, const float *x, float *exp, float *log1p, float *sigmoid, float *tanh) {
    for (int64_t k = 0; k < lanes * 16; k += EDDY_WIDTH) {
        vn v = *registers_of(x + k);
        *registers(exp + k) = EDDY_EACH(exp)(v);
        *registers(log1p + k) = EDDY_EACH(log1p)(v);
        *registers(sigmoid + k) = EDDY_EACH(sigmoid)(v);
        *registers(tanh + k) = EDDY_EACH(tanh)(v);
    }
}
