// One dense layer: forward, activation, backward, update.
//
// A layer whose rows are inputs adds x[j] times row j, output by output, in up to four interleaved sums: input j goes to
// sum j mod 4 where there are up to 32 outputs, mod 2 up to 64, and to one sum beyond. It does so a strip of outputs at
// a time, so that the sums stay in registers; strips differ with the instruction set, the sums do not.
//
// Of more than 128 inputs, those that are zero are left out of the sums and do not count in j: `live` lists the others.
// Of fewer, finding them would take longer than it saves.

enum { EDDY_UNLISTED = 128 };

// MARK: Forward, a row an input

// Subtractions are written as additions of what is negated, which rounds the same and is one instruction less.

/// Strip of S registers, P interleaved sums. Where PENDING, first writes the pending update into each row it reads. Where
/// LISTED, reads the rows that `live` lists; else the first `count`, which spares a third of a dense layer's time.
#define EDDY_ROW(p)                                                                                                   \
    {                                                                                                                 \
        int64_t j = is_listed ? live[r + (p)] : r + (p);                                                              \
        vn *row = registers(w + j * stride);                                                                          \
        float xj = x[j], g = is_pending ? steps[j] : 0;                                                               \
        _Pragma("clang loop unroll(full)") for (int s = 0; s < S; s++) {                                              \
            if (is_pending) row[s] += d[s] * g;                                                                       \
            sum[p][s] += row[s] * xj;                                                                                 \
        }                                                                                                             \
    }

#define EDDY_STRIP(SIZE, SUMS)                                                                                        \
    EDDY_INLINE void strip_##SIZE##_##SUMS(                                                                           \
        float *w, int32_t stride, const float *x, const uint32_t *live, int64_t count, const float *bias, float *z,   \
        const float *steps, const float *pd, bool is_pending, bool is_listed) {                                       \
        enum { S = SIZE, P = SUMS };                                                                                  \
        vn sum[P][S] = {}, d[S];                                                                                      \
        if (is_pending)                                                                                               \
            for (int s = 0; s < S; s++) d[s] = registers_of(pd)[s];                                                   \
        int64_t r = 0;                                                                                                \
        for (; r + P <= count; r += P) {                                                                              \
            _Pragma("clang loop unroll(full)") for (int p = 0; p < P; p++) EDDY_ROW(p)                                \
        }                                                                                                             \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < P - 1; p++) {                                          \
            if (r + p < count) EDDY_ROW(p)                                                                            \
        }                                                                                                             \
        _Pragma("clang loop unroll(full)") for (int s = 0; s < S; s++) {                                              \
            vn total = P == 4 ? (sum[0][s] + sum[1 % P][s]) + (sum[2 % P][s] + sum[3 % P][s])                         \
                : P == 2 ? sum[0][s] + sum[1 % P][s] : sum[0][s];                                                     \
            registers(z)[s] = total + registers_of(bias)[s];                                                          \
        }                                                                                                             \
    }

EDDY_STRIP(1, 4)
EDDY_STRIP(2, 4)
EDDY_STRIP(1, 2)
EDDY_STRIP(2, 2)
EDDY_STRIP(4, 2)
EDDY_STRIP(1, 1)
EDDY_STRIP(4, 1)
EDDY_STRIP(8, 1)

#define EDDY_STRIPS(S, P)                                                                                             \
    for (; k + S * EDDY_WIDTH <= padded; k += S * EDDY_WIDTH)                                                         \
        strip_##S##_##P(                                                                                              \
            l->weights + k, l->stride, x, l->live, count, l->bias + k, l->output + k, steps, pd + k, is_pending,      \
            is_listed);

/// z = xW + b over `count` inputs, into `output`; the pending update, W += steps pdᵀ, goes into each of their rows on the
/// way.
EDDY_INLINE void forward_rows(
    struct eddy_layer *l, const float *x, int32_t count, const float *steps, const float *pd, bool is_pending,
    bool is_listed) {
    int32_t padded = l->padded_outputs, k = 0;
    if (padded <= 32) {
        EDDY_STRIPS(2, 4)
        EDDY_STRIPS(1, 4)
    } else if (padded <= 64) {
        if (!is_pending) EDDY_STRIPS(4, 2)
        EDDY_STRIPS(2, 2)
        EDDY_STRIPS(1, 2)
    } else {
        if (!is_pending || EDDY_WIDTH == 16) EDDY_STRIPS(8, 1)
        EDDY_STRIPS(4, 1)
        EDDY_STRIPS(1, 1)
    }
}

EDDY_INLINE void forward_by_input(struct eddy_layer *l, const float *x) {
    if (l->live_count == l->inputs) {
        forward_rows(l, x, l->inputs, x, x, false, false);
    } else {
        forward_rows(l, x, rounded(l->live_count, l->inputs), x, x, false, true);
    }
}

EDDY_INLINE void forward_by_input_pending(
    struct eddy_layer *l, const float *x, const float *steps, const float *pd) {
    if (l->live_count == l->inputs) {
        forward_rows(l, x, l->inputs, steps, pd, true, false);
    } else {  // of the list without its filling, whose rows are others' too
        forward_rows(l, x, l->live_count, steps, pd, true, true);
    }
}

// MARK: Forward, a row an output

/// Zeros behind the last number.
EDDY_INLINE void pad(float *v, int32_t count, int32_t padded) {
    if (count == padded) return;
    v16 *last = (v16 *)(v + padded - 16);
    *last = places_from(padded - 16) < count ? *last : (v16)0;
}

/// Four rows' products with x, from row `first` on; past the last row, the last again.
EDDY_INLINE v4 four_products(const struct eddy_layer *l, const float *x, int32_t first) {
    const v16 *w[4], *q = lanes_of(x);
    for (int32_t i = 0; i < 4; i++) {
        int32_t row = first + i < l->outputs ? first + i : l->outputs - 1;
        w[i] = lanes_of(l->weights + (int64_t)row * l->stride);
    }
    int32_t blocks = l->padded_inputs / 16, k = 0;
    v16 even[4] = {}, odd[4] = {};
    for (; k + 2 <= blocks; k += 2) {
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
            even[i] += w[i][k] * q[k];
            odd[i] += w[i][k + 1] * q[k + 1];
        }
    }
    if (k < blocks) {
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) even[i] += w[i][k] * q[k];
    }
    return across4(even[0] + odd[0], even[1] + odd[1], even[2] + odd[2], even[3] + odd[3]);
}

EDDY_INLINE void forward_by_output(struct eddy_layer *l, const float *x) {
    // Stored by sixteens: what is stored in pieces cannot be loaded whole before it has left the core.
    for (int32_t i = 0; i < l->padded_outputs; i += 16) {
        v4 z[4] = {};
        for (int32_t q = 0; q < 4 && i + 4 * q < l->outputs; q++) {
            z[q] = four_products(l, x, i + 4 * q) + *(const v4 *)(l->bias + i + 4 * q);
        }
        *(v16 *)(l->output + i) = joined(z[0], z[1], z[2], z[3]);
    }
    pad(l->output, l->outputs, l->padded_outputs);
}

// MARK: Activation

#define EDDY_EACH_OUTPUT(expression)                                                                                  \
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {                                                     \
        vn *y = registers(l->output + k), v = *y;                                                                     \
        *y = (expression);                                                                                            \
    }

EDDY_INLINE void activate(struct eddy_layer *l) {
    switch (l->activation) {
    case EDDY_IDENTITY: break;
    case EDDY_STEP: EDDY_EACH_OUTPUT(v > 0 ? (vn)1.0f : (vn)0.0f) break;
    case EDDY_SIGMOID:
        EDDY_EACH_OUTPUT(EDDY_EACH(sigmoid)(v))
        pad(l->output, l->outputs, l->padded_outputs);  // sigmoid(0) is ½
        break;
    case EDDY_TANH: EDDY_EACH_OUTPUT(EDDY_EACH(tanh)(v)) break;
    case EDDY_RELU: EDDY_EACH_OUTPUT(v <= 0 ? (vn)0.0f : v) break;  // NaN stays NaN
    case EDDY_LEAKY_RELU: EDDY_EACH_OUTPUT(v <= 0 ? v * 0.01f : v) break;
    }
}

// MARK: Backward

/// dz = dy ⊙ f′(y), in place.
EDDY_INLINE void differentiate(struct eddy_layer *l) {
#define EDDY_EACH_DELTA(expression)                                                                                   \
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {                                                     \
        vn *dz = registers(l->delta + k), d = *dz, y = *registers_of(l->output + k);                                  \
        *dz = (expression);                                                                                           \
    }
    switch (l->activation) {
    case EDDY_IDENTITY:
    case EDDY_STEP: break;
    case EDDY_SIGMOID: EDDY_EACH_DELTA((d * (y * (1.0f - y)))) break;
    case EDDY_TANH: EDDY_EACH_DELTA((d * (1.0f - y * y))) break;
    case EDDY_RELU: EDDY_EACH_DELTA(y <= 0 ? (vn)0.0f : d) break;
    case EDDY_LEAKY_RELU: EDDY_EACH_DELTA(y <= 0 ? d * 0.01f : d) break;
    }
}

EDDY_INLINE uint32_t least(int32_t a, int32_t b) { return (uint32_t)(a < b ? a : b); }

/// The products of four rows with dz.
EDDY_INLINE v4 products(const struct eddy_layer *l, uint32_t i, uint32_t j, uint32_t m, uint32_t n) {
    const v16 *a = lanes_of(l->weights + (int64_t)i * l->stride), *b = lanes_of(l->weights + (int64_t)j * l->stride);
    const v16 *c = lanes_of(l->weights + (int64_t)m * l->stride), *d = lanes_of(l->weights + (int64_t)n * l->stride);
    const v16 *dz = lanes_of(l->delta);
    v16 sa = a[0] * dz[0], sb = b[0] * dz[0], sc = c[0] * dz[0], sd = d[0] * dz[0];
    for (int32_t k = 1; k < l->padded_outputs / 16; k++) {
        sa += a[k] * dz[k];
        sb += b[k] * dz[k];
        sc += c[k] * dz[k];
        sd += d[k] * dz[k];
    }
    return across4(sa, sb, sc, sd);
}

/// dx = W·dz. Where the layer below is rectified its dead units get none, and their rows are not read.
EDDY_INLINE void backward(const struct eddy_layer *l, float *dx, bool is_rectified) {
    if (l->by_output) {
        for (int32_t k = 0; k < l->padded_inputs; k += EDDY_WIDTH) {
            vn sum = {};
            for (int32_t i = 0; i < l->outputs; i++) {
                sum += *registers_of(l->weights + (int64_t)i * l->stride + k) * l->delta[i];
            }
            *registers(dx + k) = sum;
        }
        return;
    }
    if (!is_rectified || l->live_count == l->inputs) {  // all rows: there may be no list
        for (int32_t j = 0; j < l->padded_inputs; j += 16) {
            v4 sums[4];
            if (j + 16 <= l->inputs) {
                for (uint32_t q = 0, r = (uint32_t)j; q < 4; q++, r += 4) sums[q] = products(l, r, r + 1, r + 2, r + 3);
            } else {
                for (int32_t q = 0; q < 4; q++) {
                    int32_t r = j + 4 * q, last = l->inputs - 1;
                    sums[q] = products(l, least(r, last), least(r + 1, last), least(r + 2, last), least(r + 3, last));
                }
            }
            *(v16 *)(dx + j) = joined(sums[0], sums[1], sums[2], sums[3]);
        }
        pad(dx, l->inputs, l->padded_inputs);
        return;
    }
    memset(dx, 0, sizeof(float) * (size_t)l->padded_inputs);
    int32_t count = rounded(l->live_count, l->inputs);
    for (int32_t r = 0; r < count; r += 4) {
        uint32_t *j = l->live + r;
        v4 sums = products(l, j[0], j[1], j[2], j[3]);
        for (int p = 0; p < 4; p++) dx[j[p]] = sums[p];
    }
}

// MARK: Update

/// row −= v · g, over `padded` Floats.
EDDY_INLINE void subtract(float *row, const float *v, float g, int32_t padded) {
    for (int32_t k = 0; k < padded; k += EDDY_WIDTH) *registers(row + k) += *registers_of(v + k) * -g;
}

/// −rate · x: what dz is multiplied by in each row's update.
EDDY_INLINE void find_steps(const float *x, float rate, int32_t padded, float *steps) {
    for (int32_t k = 0; k < padded; k += EDDY_WIDTH) *registers(steps + k) = *registers_of(x + k) * -rate;
}

/// The rows of live inputs, or the first `count` if not listed, a strip of S registers of their outputs.
#define EDDY_UPDATE(S)                                                                                                \
    EDDY_INLINE void update_##S(                                                                                      \
        float *w, int32_t stride, const float *x, const uint32_t *live, int64_t count, float rate, const float *dz,   \
        bool is_listed) {                                                                                             \
        vn d[S];                                                                                                      \
        _Pragma("clang loop unroll(full)") for (int s = 0; s < S; s++) d[s] = registers_of(dz)[s];                    \
        _Pragma("clang loop unroll_count(2)") for (int64_t r = 0; r < count; r++) {                                   \
            int64_t j = is_listed ? live[r] : r;                                                                      \
            vn *row = registers(w + j * stride);                                                                      \
            float g = -rate * x[j];                                                                                   \
            _Pragma("clang loop unroll(full)") for (int s = 0; s < S; s++) row[s] += d[s] * g;                        \
        }                                                                                                             \
    }
EDDY_UPDATE(1)
EDDY_UPDATE(2)
EDDY_UPDATE(4)
EDDY_UPDATE(8)

EDDY_INLINE void update_rows(
    struct eddy_layer *l, const float *x, const uint32_t *live, int32_t count, float rate, const float *dz,
    bool is_listed) {
    int32_t padded = l->padded_outputs, k = 0;
    if (padded > 8 * EDDY_WIDTH) {
        for (int64_t r = 0; r < count; r++) {
            int64_t j = is_listed ? live[r] : r;
            subtract(l->weights + j * l->stride, dz, rate * x[j], padded);
        }
        return;
    }
#define EDDY_UPDATES(S)                                                                                               \
    for (; k + S * EDDY_WIDTH <= padded; k += S * EDDY_WIDTH)                                                         \
        update_##S(l->weights + k, l->stride, x, live, count, rate, dz + k, is_listed);
    EDDY_UPDATES(8)
    EDDY_UPDATES(4)
    EDDY_UPDATES(2)
    EDDY_UPDATES(1)
}

/// W −= rate · x dzᵀ, for the `count` inputs that are live.
EDDY_INLINE void update_by_input(
    struct eddy_layer *l, const float *x, const uint32_t *live, int32_t count, float rate, const float *dz) {
    if (count == l->inputs) {
        update_rows(l, x, live, count, rate, dz, false);
    } else {
        update_rows(l, x, live, rounded(count, l->inputs), rate, dz, true);
    }
}

/// W −= rate · x dzᵀ, a row an output; a dead output's row stays.
EDDY_INLINE void update_by_output(struct eddy_layer *l, const float *x, float rate, const float *dz) {
    for (int32_t i = 0; i < l->outputs; i++) {
        float g = rate * dz[i];
        if (g != 0) subtract(l->weights + (int64_t)i * l->stride, x, g, l->padded_inputs);
    }
}

/// W −= rate · x dzᵀ and b −= rate · dz.
EDDY_INLINE void descend(struct eddy_layer *l, const float *x, float rate) {
    subtract(l->bias, l->delta, rate, l->padded_outputs);
    if (l->by_output) {
        update_by_output(l, x, rate, l->delta);
    } else {
        update_by_input(l, x, l->live, l->live_count, rate, l->delta);
    }
}

/// All weights times (1 − rate · l2).
EDDY_INLINE void decay(struct eddy_layer *l, float factor) {
    int64_t floats = (int64_t)(l->by_output ? l->outputs : l->inputs) * l->stride;
    // A product may underflow to −0, which is no weight's value.
    for (int64_t k = 0; k < floats; k += EDDY_WIDTH) {
        *registers(l->weights + k) = *registers_of(l->weights + k) * factor + 0.0f;
    }
}
