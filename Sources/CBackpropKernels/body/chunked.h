// The chunked form of a large first layer: the same algebra for several samples at once, not the same bits.
//
// Of K samples, all products with the weights as they were before the first are taken in one pass over these, and each
// sample's are then corrected by what the samples before it would have changed,
//
//     x_t W_t = x_t W_0 − Σ_{s<t} η_s (x_s · x_t) dz_s,
//
// and the K updates are written in a second pass. Two passes for K samples, where the sequential form needs one for
// each. Every sample still sees the weights that the one before it left; only the rounding differs.

enum { EDDY_BLOCK = EDDY_BLOCK_SAMPLES };

/// Rows `first` and on, N of them (each an output), times all samples.
#define EDDY_BLOCK_ROWS(N)                                                                                            \
    EDDY_INLINE void multiply_rows_##N(const struct eddy_network *network, const float *const *x, int32_t first) {    \
        const struct eddy_layer *l = &network->layers[0];                                                             \
        const v16 *row[N];                                                                                            \
        for (int i = 0; i < N; i++) row[i] = lanes_of(l->weights + (int64_t)(first + i) * l->stride);                 \
        v16 sum[N][EDDY_BLOCK] = {};                                                                                  \
        for (int32_t k = 0; k < l->padded_inputs / 16; k++) {                                                         \
            _Pragma("clang loop unroll(full)") for (int s = 0; s < EDDY_BLOCK; s++) {                                 \
                v16 value = lanes_of(x[s])[k];                                                                        \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) sum[i][s] += row[i][k] * value;        \
            }                                                                                                         \
        }                                                                                                             \
        for (int i = 0; i < N; i++) {                                                                                 \
            v4 low = across4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);                                             \
            v4 high = across4(sum[i][4], sum[i][5], sum[i][6], sum[i][7]);                                            \
            float *product = network->blocks.products + first + i;                                                    \
            for (int s = 0; s < 4; s++) {                                                                             \
                product[s * l->padded_outputs] = low[s];                                                              \
                product[(s + 4) * l->padded_outputs] = high[s];                                                       \
            }                                                                                                         \
        }                                                                                                             \
    }
EDDY_BLOCK_ROWS(1)
EDDY_BLOCK_ROWS(2)

/// The updates of N samples to one row.
#define EDDY_ROW_UPDATES(N)                                                                                           \
    EDDY_INLINE void update_row_by_##N(v16 *row, int32_t blocks, const float *const *x, const float *g) {             \
        for (int32_t k = 0; k < blocks; k++) {                                                                        \
            v16 w = row[k];                                                                                           \
            _Pragma("clang loop unroll(full)") for (int s = 0; s < N; s++) w += lanes_of(x[s])[k] * g[s];             \
            row[k] = w;                                                                                               \
        }                                                                                                             \
    }
EDDY_ROW_UPDATES(1)
EDDY_ROW_UPDATES(2)
EDDY_ROW_UPDATES(3)
EDDY_ROW_UPDATES(4)
EDDY_ROW_UPDATES(5)
EDDY_ROW_UPDATES(6)
EDDY_ROW_UPDATES(7)
EDDY_ROW_UPDATES(8)

/// The updates to the row of output i, of those samples for which it is not dead.
EDDY_INLINE void update_row(const struct eddy_network *network, const float *const *x, int32_t i) {
    const struct eddy_layer *l = &network->layers[0];
    const float *live[EDDY_BLOCK];
    float g[EDDY_BLOCK];
    int32_t count = 0;
    for (int s = 0; s < EDDY_BLOCK; s++) {
        g[count] = -network->blocks.rates[s] * network->blocks.deltas[s * l->padded_outputs + i];
        live[count] = x[s];
        count += g[count] != 0;
    }
    v16 *row = (v16 *)(l->weights + (int64_t)i * l->stride);
    int32_t blocks = l->padded_inputs / 16;
    switch (count) {
    case 1: update_row_by_1(row, blocks, live, g); break;
    case 2: update_row_by_2(row, blocks, live, g); break;
    case 3: update_row_by_3(row, blocks, live, g); break;
    case 4: update_row_by_4(row, blocks, live, g); break;
    case 5: update_row_by_5(row, blocks, live, g); break;
    case 6: update_row_by_6(row, blocks, live, g); break;
    case 7: update_row_by_7(row, blocks, live, g); break;
    case 8: update_row_by_8(row, blocks, live, g); break;
    }
}

/// x W for all samples of a block, into `products`; what is behind the last sample is the first again.
EDDY_INLINE void multiply_block(const struct eddy_network *network, const float *const *x) {
    const struct eddy_layer *l = &network->layers[0];
    float *products = network->blocks.products;
    if (l->by_output) {
        int32_t i = 0;
        if (EDDY_WIDTH == 16) {  // two rows at once, so that a load of x serves both
            for (; i + 2 <= l->outputs; i += 2) multiply_rows_2(network, x, i);
        }
        for (; i < l->outputs; i++) multiply_rows_1(network, x, i);
        return;
    }
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {
        vn sum[EDDY_BLOCK] = {};
        const float *column = l->weights + k;
        for (int32_t j = 0; j < l->inputs; j++, column += l->stride) {
            vn w = *registers_of(column);
            _Pragma("clang loop unroll(full)") for (int s = 0; s < EDDY_BLOCK; s++) sum[s] += w * x[s][j];
        }
        for (int s = 0; s < EDDY_BLOCK; s++) *registers(products + s * l->padded_outputs + k) = sum[s];
    }
}

/// The first layer's z of sample t.
EDDY_INLINE void correct(const struct eddy_network *network, const float *const *x, int32_t t) {
    struct eddy_layer *l = &network->layers[0];
    float shares[EDDY_BLOCK];
    for (int32_t s = 0; s < t; s++) {
        float rate = network->blocks.rates[s];
        shares[s] = rate == 0 ? 0 : rate * dot(x[s], x[t], l->padded_inputs);
    }
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {
        vn z = *registers_of(network->blocks.products + t * l->padded_outputs + k);
        const float *delta = network->blocks.deltas + k;
        for (int32_t s = 0; s < t; s++, delta += l->padded_outputs) z -= *registers_of(delta) * shares[s];
        *registers(l->output + k) = z + *registers_of(l->bias + k);
    }
    pad(l->output, l->outputs, l->padded_outputs);
}

/// W −= Σ η_s x_s dz_sᵀ over the samples that were learned.
EDDY_INLINE void update_block(const struct eddy_network *network, const float **x) {
    const struct eddy_layer *l = &network->layers[0];
    const float *learned = 0;
    for (int32_t s = 0; s < EDDY_BLOCK; s++) learned = network->blocks.rates[s] != 0 ? x[s] : learned;
    if (!learned) return;
    // What was not learned stands back behind one that was, with a rate of zero: its own features may not be finite.
    for (int32_t s = 0; s < EDDY_BLOCK; s++) x[s] = network->blocks.rates[s] != 0 ? x[s] : learned;
    const float *deltas = network->blocks.deltas, *rates = network->blocks.rates;
    if (l->by_output) {
        for (int32_t i = 0; i < l->outputs; i++) update_row(network, x, i);
        return;
    }
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {
        vn d[EDDY_BLOCK];
        for (int s = 0; s < EDDY_BLOCK; s++) d[s] = *registers_of(deltas + s * l->padded_outputs + k) * -rates[s];
        float *column = l->weights + k;
        for (int32_t j = 0; j < l->inputs; j++, column += l->stride) {
            vn w = *registers_of(column);
            _Pragma("clang loop unroll(full)") for (int s = 0; s < EDDY_BLOCK; s++) w += d[s] * x[s][j];
            *registers(column) = w;
        }
    }
}
