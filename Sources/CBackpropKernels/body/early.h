// The second layer's update, written while its products with dz are taken.
//
// Below a large first layer the second is the next to cost: three passes over its live rows, from the second cache. The
// last two, dx = W·dz and W −= rate · x dzᵀ, read the same rows for the same dz, and are one here. But a sample is
// judged by all its deltas before a weight is written, and the first layer's come of this very pass. So it is taken only
// where no outcome of it could fail: those deltas are no longer than the norm of the weights times that of dz, and there
// is no clip that would have to know them. The bits are those of two passes.

/// The least samples in a run for which the norm is worth its pass over the weights.
enum { EDDY_EARLY_SAMPLES = 16 };

/// At least the norm of the second layer's weights, if its updates may be early; else 0.
EDDY_INLINE float find_reach(const struct eddy_network *network, int64_t samples) {
    if (network->depth < 2 || samples < EDDY_EARLY_SAMPLES) return 0;
    const struct eddy_layer *first = &network->layers[0], *second = &network->layers[1];
    bool is_plain = is_plain_besides_decay(network) && network->update.l2 == 0 && !EDDY_FINITE(network->clip);
    if (!is_plain || first->activation != EDDY_RELU || second->by_output || second->inputs <= EDDY_UNLISTED) return 0;
    const int32_t floats = second->inputs * second->stride;
    return square_root(dot(second->weights, second->weights, floats));
}

/// Whether a sample is sound whatever dx of the second layer will be. `squares`: the layers' above it.
EDDY_INLINE bool is_sound_anyway(const struct eddy_network *network, float squares, v16 x_squares, float rate) {
    if (network->reach == 0) return false;
    const struct eddy_layer *l = &network->layers[1];
    if (l->live_count == l->inputs) return false;  // there is no list
    const float *dz = l->delta, *y = network->layers[0].output;
    v4 norms = across4(
        sum_by_lanes(dz, dz, l->padded_outputs), sum_by_lanes(y, y, l->padded_inputs), x_squares, (v16)0);
    // Twice each norm, for what is lost in rounding.
    float reach = 2 * network->reach;
    float most = 4 * (squares + norms[0] * (norms[1] + 1.0f) + reach * reach * norms[0] * (norms[2] + 1.0f));
    return EDDY_FINITE(most) && most * rate * rate <= network->longest_update * network->longest_update;
}

/// The second layer's dx = W·dz, dead units none, and W −= rate · x dzᵀ.
EDDY_INLINE void backward_and_descend(struct eddy_network *network, float rate) {
    const struct eddy_layer *l = &network->layers[1];
    const float *x = network->layers[0].output;
    float *dx = network->layers[0].delta;
    const v16 *dz = lanes_of(l->delta);
    memset(dx, 0, sizeof(float) * (size_t)l->padded_inputs);
    const int32_t count = rounded(l->live_count, l->inputs), blocks = l->padded_outputs / 16;
    for (int32_t r = 0; r < count; r += 4) {
        const uint32_t *j = l->live + r;
        v16 *row[4], sum[4];
        float g[4];
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
            row[i] = (v16 *)(l->weights + (int64_t)j[i] * l->stride);
            g[i] = -rate * x[j[i]];
            v16 w = row[i][0];
            sum[i] = w * dz[0];
            row[i][0] = w + dz[0] * g[i];
        }
        for (int32_t k = 1; k < blocks; k++) {
            _Pragma("clang loop unroll(full)") for (int i = 0; i < 4; i++) {
                v16 w = row[i][k];
                sum[i] += w * dz[k];
                row[i][k] = w + dz[k] * g[i];
            }
        }
        v4 sums = across4(sum[0], sum[1], sum[2], sum[3]);
        for (int i = 0; i < 4; i++) dx[j[i]] = sums[i];
    }
    network->is_early = true;
}
