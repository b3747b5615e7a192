// Samples given by their inputs that are not zero: a step's cost is then theirs, not the first layer's.
//
// The bits are those of the dense form, whose sums zeros do not change either: of more than 128 inputs a layer that has a
// row an input leaves them out by rank, and lanes of a dot product that get no term stay what they are. The sample is
// written into a row of zeros, and taken out of it afterwards, so that all loops that take x find it.
//
// What differs is rules under which a weight changes without a gradient (momentum, Adam, L1, L2 and the like): rows of
// the first layer whose input is zero rest, weights and state, until it is not zero again.

/// A sample's places into the first layer's list, its values into `x`; returns ‖x‖² by lanes, as `sum_by_lanes` has it.
EDDY_INLINE v16 scatter(
    struct eddy_layer *l, float *x, const uint32_t *places, const float *values, int64_t count) {
    _Alignas(64) float squares[32] = {};
    uint32_t dead = 0;
    int32_t live = 0;
    for (int64_t k = 0; k < count; k++) {
        uint32_t j = places[k];
        float value = values[k];
        x[j] = value;
        l->live[live] = j;
        live += value != 0;
        dead += j == dead && value != 0;
        squares[j & 31] += value * value;  // the even and the odd sixteens
    }
    l->live_count = live;
    for (int32_t k = 0; k < 8; k++) l->live[live + k] = dead;  // the first that is zero, if there is one
    return lanes_of(squares)[0] + lanes_of(squares)[1];
}

EDDY_INLINE void clear(float *x, const uint32_t *places, int64_t count) {
    for (int64_t k = 0; k < count; k++) x[places[k]] = 0;
}

/// Asks for the rows that the next sample needs.
EDDY_INLINE void prefetch(const struct eddy_layer *l, const uint32_t *places, int64_t count) {
    if (l->by_output || l->stride > 64) return;
    for (int64_t k = 0; k < count; k++) {
        const float *row = l->weights + (int64_t)places[k] * l->stride;
        for (int32_t s = 0; s < l->stride; s += 16) __builtin_prefetch(row + s, 1);
    }
}

/// z = xW + b of the first layer.
EDDY_INLINE void forward_sparse(struct eddy_layer *l, const float *x) {
    if (l->by_output) {
        for (int32_t i = 0; i < l->outputs; i++) {
            const float *row = l->weights + (int64_t)i * l->stride;
            _Alignas(64) float sums[32] = {};
            for (int32_t k = 0; k < l->live_count; k++) {
                uint32_t j = l->live[k];
                sums[j & 31] += row[j] * x[j];
            }
            l->output[i] = across(lanes_of(sums)[0] + lanes_of(sums)[1]) + l->bias[i];
        }
        pad(l->output, l->outputs, l->padded_outputs);
    } else if (l->inputs > EDDY_UNLISTED) {
        forward_by_input(l, x);
    } else {  // so few that zeros have turns
        forward_rows(l, x, l->inputs, x, x, false, false);
    }
}

/// The rule's update of the weights of live inputs, and of the bias.
EDDY_INLINE void apply_to_places(
    int rule, const struct eddy_update u, struct eddy_layer *l, const float *x, bool shrinks) {
    const int64_t state_stride = l->state_stride;
    for (int32_t k = 0; k < l->live_count && !l->by_output; k++) {
        int64_t j = l->live[k], row = j * l->stride;
        float *state = l->state ? l->state + row : 0;
        apply_to_row(rule, u, l->weights + row, state, state_stride, l->delta, x[j], l->stride, shrinks);
    }
    for (int32_t i = 0; i < l->outputs && l->by_output; i++) {
        for (int32_t k = 0; k < l->live_count; k++) {
            int64_t j = l->live[k], place = (int64_t)i * l->stride + j;
            float g = x[j] * l->delta[i], *state = l->state ? l->state + place : 0;
            l->weights[place] =
                apply_to_one_shrinking(rule, u, l->weights[place], g, state, state_stride, shrinks);
        }
    }
    apply_to_bias(rule, u, l);
}

static __attribute__((noinline)) void EDDY_NAME(descend_sparse)(
    const struct eddy_network *network, struct eddy_layer *l, const float *x, float rate) {
    struct eddy_update u = network->update;
    u.rate = rate;
    bool shrinks = u.l1 != 0 || u.l2 != 0;
#define EDDY_PLACES(RULE)                                                                                             \
    if (shrinks) {                                                                                                    \
        apply_to_places(RULE, u, l, x, true);                                                                         \
    } else {                                                                                                          \
        apply_to_places(RULE, u, l, x, false);                                                                        \
    }
    EDDY_EACH_RULE(EDDY_PLACES)
}

/// The first layer's update.
EDDY_INLINE void update_sparse(struct eddy_network *network, const float *x, float rate) {
    struct eddy_layer *l = &network->layers[0];
    if (network->rule != EDDY_SGD || network->update.l1 != 0 || network->update.l2 != 0) {
        EDDY_NAME(descend_sparse)(network, l, x, rate);
    } else if (l->by_output) {
        for (int32_t i = 0; i < l->outputs; i++) {
            float *row = l->weights + (int64_t)i * l->stride, g = rate * l->delta[i];
            if (g == 0) continue;
            for (int32_t k = 0; k < l->live_count; k++) row[l->live[k]] += x[l->live[k]] * -g;
        }
        subtract(l->bias, l->delta, rate, l->padded_outputs);
    } else {
        descend(l, x, rate);
    }
}
