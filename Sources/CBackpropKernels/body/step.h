// One sample, any network: forward, score, backward, update.
//
// All deltas are known and judged before a weight is written, so a sample that is rejected changes nothing.

EDDY_INLINE void forward(struct eddy_network *network, const float *x) {
    const float *input = x;
    for (int32_t i = 0; i < network->depth; i++) {
        struct eddy_layer *l = &network->layers[i];
        if (!l->by_output) l->live_count = find_live(input, l->inputs, l->padded_inputs, l->live);
        if (i == 0 && network->pending.is_set) {
            forward_pending(network, x);
        } else if (l->by_output) {
            forward_by_output(l, input);
        } else {
            forward_by_input(l, input);
        }
        activate(l);
        input = l->output;
    }
}

EDDY_INLINE void scale(float *v, int32_t padded, float factor) {
    for (int32_t k = 0; k < padded; k += EDDY_WIDTH) *registers(v + k) *= factor;
}

/// The part of a gradient's norm that may be, shortened to the clip; false where it is not finite or too long.
EDDY_INLINE bool judge(const struct eddy_network *network, float squares, float rate, float *factor) {
    float norm = square_root(squares);
    if (!EDDY_FINITE(norm)) return false;
    *factor = 1;
    if (EDDY_RARELY(norm > network->clip)) {
        EDDY_STAYS_A_BRANCH;
        *factor = network->clip / norm;
        norm = network->clip;
    }
    return norm * rate <= network->longest_update;
}

/// Every layer's dz, scaled by the sample's weight and the clip; false where the sample is to be rejected.
EDDY_INLINE bool backpropagate(struct eddy_network *network, const float *x, float weight, float rate) {
    int32_t last = network->depth - 1;
    struct eddy_layer *layers = network->layers;
    if (weight != 1) scale(layers[last].delta, layers[last].padded_outputs, weight);
    differentiate(&layers[last]);
    float squares = 0;
    for (int32_t i = last; i >= 0; i--) {
        if (i < last) {
            backward(&layers[i + 1], layers[i].delta, layers[i].activation == EDDY_RELU && !layers[i + 1].by_output);
            differentiate(&layers[i]);
        }
        // A layer's gradient is x dzᵀ, and dz for the bias, so its squared norm is ‖dz‖² (‖x‖² + 1).
        const float *input = i == 0 ? x : layers[i - 1].output;
        float square = sum_of_squares(layers[i].delta, layers[i].padded_outputs)
            * (sum_of_squares(input, layers[i].padded_inputs) + 1.0f);
        network->squares[i] = square;
        squares += square;
    }
    float factor;
    if (!judge(network, squares, rate, &factor)) return false;
    for (int32_t i = 0; i <= last; i++) {
        if (factor != 1) scale(layers[i].delta, layers[i].padded_outputs, factor);
        float norm = square_root(network->squares[i]) * factor;
        network->gradient_norms[i] += (norm - network->gradient_norms[i]) * network->norm_smoothing;
    }
    return true;
}

EDDY_INLINE void update(struct eddy_network *network, const float *x, float rate) {
    const float *input = x;
    for (int32_t i = 0; i < network->depth; i++) {
        struct eddy_layer *l = &network->layers[i];
        if (network->momentum != 0) {
            descend_with_momentum(l, input, rate, network->momentum, network->l2);
        } else {
            if (network->l2 != 0) decay(l, 1.0f - rate * network->l2);
            if (i == 0 && network->defers) {
                postpone(network, x, rate);
            } else {
                descend(l, input, rate);
            }
        }
        input = l->output;
    }
}
