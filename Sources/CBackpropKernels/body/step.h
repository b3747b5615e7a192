// One sample, any network: forward, score, backward, update.
//
// All deltas are known and judged before a weight is written, so a sample that is rejected changes nothing. Where it
// cannot be rejected any more, the second layer's weights go ahead of the first layer's deltas (early.h).

/// From a layer on, whose inputs are given.
EDDY_INLINE void forward_from(struct eddy_network *network, int32_t first, const float *x, const float *input) {
    for (int32_t i = first; i < network->depth; i++) {
        struct eddy_layer *l = &network->layers[i];
        if (!l->by_output) {
            bool is_listed = l->inputs > EDDY_UNLISTED;
            l->live_count = is_listed ? find_live(input, l->inputs, l->padded_inputs, l->live) : l->inputs;
        }
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

EDDY_INLINE void forward(struct eddy_network *network, const float *x) { forward_from(network, 0, x, x); }

EDDY_INLINE void scale(float *v, int32_t padded, float factor) {
    for (int32_t k = 0; k < padded; k += EDDY_WIDTH) *registers(v + k) *= factor;
}

/// Whether a gradient of this squared norm may be: false where it is not finite or too long. `factor` shortens one beyond
/// the clip.
EDDY_INLINE bool judge(float squares, float rate, float clip, float longest_update, float *factor) {
    float norm = square_root(squares);
    *factor = 1;
    if (EDDY_RARELY(norm > clip)) {
        EDDY_STAYS_A_BRANCH;
        if (!EDDY_FINITE(norm)) return false;
        *factor = clip / norm;
        norm = clip;
    }
    return norm * rate <= longest_update;  // false where it is not a number
}

/// Every layer's dz, scaled by the sample's weight and the clip; false where the sample is to be rejected. `x_squares`:
/// ‖x‖² by lanes, where it is known.
EDDY_INLINE bool backpropagate(
    struct eddy_network *network, const float *x, const v16 *x_squares, float weight, float rate) {
    int32_t last = network->depth - 1;
    struct eddy_layer *layers = network->layers;
    pad(layers[last].delta, layers[last].outputs, layers[last].padded_outputs);
    if (weight != 1) scale(layers[last].delta, layers[last].padded_outputs, weight);
    differentiate(&layers[last]);
    // A layer's gradient is x dzᵀ, and dz for the bias, so its squared norm is ‖dz‖² (‖x‖² + 1): of two layers at once.
    float squares = 0;
    network->is_early = false;
    for (int32_t i = last; i >= 0; i -= 2) {
        v16 sums[4] = {};
        for (int32_t k = i; k >= 0 && k > i - 2; k--) {
            const float *input = k == 0 ? x : layers[k - 1].output;
            v16 of_input = k == 0 && x_squares ? *x_squares : sum_by_lanes(input, input, layers[k].padded_inputs);
            if (k < last) {
                if (k == 0 && is_sound_anyway(network, squares, of_input, rate)) {
                    backward_and_descend(network, rate);
                } else {
                    backward(&layers[k + 1], layers[k].delta, layers[k].activation == EDDY_RELU);
                }
                differentiate(&layers[k]);
            }
            sums[2 * (i - k)] = sum_by_lanes(layers[k].delta, layers[k].delta, layers[k].padded_outputs);
            sums[2 * (i - k) + 1] = of_input;
        }
        v4 norms = across4(sums[0], sums[1], sums[2], sums[3]);
        network->squares[i] = norms[0] * (norms[1] + 1.0f);
        squares += network->squares[i];
        if (i > 0) {
            network->squares[i - 1] = norms[2] * (norms[3] + 1.0f);
            squares += network->squares[i - 1];
        }
    }
    float factor;
    float judged = network->rule >= EDDY_ADAGRAD && rate < 1 ? 1 : rate;
    if (!judge(squares, judged, network->clip, network->longest_update, &factor)) return false;
    // Its weights will be longer by no more than its update is, besides a rounding each.
    if (network->is_early) network->reach = network->reach * 1.000001f + rate * square_root(network->squares[1]);
    for (int32_t i = 0; i <= last; i++) {
        if (factor != 1) scale(layers[i].delta, layers[i].padded_outputs, factor);
        float norm = square_root(network->squares[i]) * factor;
        network->gradient_norms[i] += (norm - network->gradient_norms[i]) * network->norm_smoothing;
    }
    return true;
}

/// From a layer on, whose inputs are given.
EDDY_INLINE void update_from(
    struct eddy_network *network, int32_t first, const float *x, const float *input, float rate) {
    for (int32_t i = first; i < network->depth; i++) {
        struct eddy_layer *l = &network->layers[i];
        if (!is_plain_besides_decay(network)) {
            descend_by_rule(network, l, input, rate);
        } else {
            if (network->update.l2 != 0) decay(l, 1.0f - rate * network->update.l2);
            if (i == 0 && network->defers) {
                postpone(network, x, rate);
            } else if (i == 1 && network->is_early) {
                subtract(l->bias, l->delta, rate, l->padded_outputs);
            } else {
                descend(l, input, rate);
            }
        }
        input = l->output;
    }
}

EDDY_INLINE void update(struct eddy_network *network, const float *x, float rate) { update_from(network, 0, x, x, rate); }
