// A chunk through whichever form of the step suits the network; the bits are the same in each.

/// What comes after the forward pass: predicts or scores, and finds every delta. False where the sample is rejected.
EDDY_INLINE bool judge_sample(
    struct eddy_network *network, const struct eddy_chunk *chunk, int64_t i, const float *x, const v16 *x_squares,
    float rate, bool *is_labelled) {
    const float *target = chunk->targets + i * chunk->target_stride;
    float *prediction = chunk->predictions + i * chunk->outputs;
    *is_labelled = !__builtin_isnan(target[0]);
    if (!*is_labelled) {
        chunk->losses[i] = target[0];
        return predict(network, prediction);
    }
    float loss = score(network, target, prediction);
    if (!EDDY_FINITE(loss)) return false;
    // Probabilities are finite if the logarithm of their sum is.
    bool is_softmax = network->loss == EDDY_CROSS_ENTROPY;
    if (!is_softmax && !all_finite(prediction, (int32_t)chunk->outputs)) return false;
    if (!backpropagate(network, x, x_squares, chunk->weights ? chunk->weights[i] : 1, rate)) return false;
    chunk->losses[i] = loss;
    return true;
}

/// Any network.
static int64_t EDDY_NAME(run_any)(struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    const float *rates = chunk->rates, *corrections = chunk->corrections;
    const int32_t padded_inputs = network->layers[0].padded_inputs;
    int64_t i = 0;
    for (; i < chunk->count; i++) {
        const float *x = chunk->inputs + i * chunk->input_stride;
        forward(network, x);
        if (i + 1 < chunk->count) {  // the next row, behind the sweep that would push it out
            for (int32_t k = 0; k < padded_inputs; k += 16) __builtin_prefetch(x + chunk->input_stride + k);
        }
        bool is_labelled;
        if (!judge_sample(network, chunk, i, x, 0, *rates, &is_labelled)) break;
        if (!is_labelled) continue;
        network->update.corrections[0] = corrections[0];
        network->update.corrections[1] = corrections[1];
        update(network, x, *rates);
        rates += chunk->rate_stride;
        corrections += 2 * chunk->rate_stride;
        ++*learned;
    }
    struct eddy_pending *p = &network->pending;
    if (p->is_set && p->input != p->kept) {  // the chunk's memory is the caller's again
        memcpy(p->kept, p->input, sizeof(float) * (size_t)padded_inputs);
        p->input = p->kept;
    }
    return i;
}

/// A network whose first layer is taken by blocks of samples.
static int64_t EDDY_NAME(run_blocks)(struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    struct eddy_layer *l = &network->layers[0];
    const float *rates = chunk->rates;
    settle(network);
    int64_t i = 0;
    bool is_rejected = false;
    while (i < chunk->count && !is_rejected) {
        int32_t count = chunk->count - i < EDDY_BLOCK ? (int32_t)(chunk->count - i) : EDDY_BLOCK;
        const float *x[EDDY_BLOCK];
        for (int32_t t = 0; t < EDDY_BLOCK; t++) {
            x[t] = chunk->inputs + (i + (t < count ? t : 0)) * chunk->input_stride;
            network->blocks.rates[t] = 0;
        }
        memset(network->blocks.deltas, 0, sizeof(float) * (size_t)(EDDY_BLOCK * l->padded_outputs));
        multiply_block(network, x);
        for (int32_t t = 0; t < count; t++, i++) {
            correct(network, x, t);
            activate(l);
            forward_from(network, 1, x[t], l->output);
            bool is_labelled;
            if (!judge_sample(network, chunk, i, x[t], 0, *rates, &is_labelled)) {
                is_rejected = true;
                break;
            }
            if (!is_labelled) continue;
            network->blocks.rates[t] = *rates;
            memcpy(network->blocks.deltas + t * l->padded_outputs, l->delta, sizeof(float) * (size_t)l->padded_outputs);
            subtract(l->bias, l->delta, *rates, l->padded_outputs);
            update_from(network, 1, x[t], l->output, *rates);
            rates += chunk->rate_stride;
            ++*learned;
        }
        update_block(network, x);
    }
    return i;
}

/// Samples given by their inputs that are not zero.
static int64_t EDDY_NAME(run_sparse)(struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    struct eddy_layer *l = &network->layers[0];
    const float *rates = chunk->rates, *corrections = chunk->corrections;
    float *x = network->sparse_input;
    int64_t i = 0, first = chunk->first_place;
    for (; i < chunk->count; i++) {
        const uint32_t *places = chunk->places + first;
        const int64_t count = chunk->ends[i] - first;
        v16 x_squares = scatter(l, x, places, chunk->values + first, count);
        first = chunk->ends[i];
        if (i + 1 < chunk->count) prefetch(l, chunk->places + first, chunk->ends[i + 1] - first);
        forward_sparse(l, x);
        activate(l);
        forward_from(network, 1, x, l->output);
        bool is_labelled;
        bool is_sound = judge_sample(network, chunk, i, x, &x_squares, *rates, &is_labelled);
        if (is_sound && is_labelled) {
            network->update.corrections[0] = corrections[0];
            network->update.corrections[1] = corrections[1];
            update_sparse(network, x, *rates);
            update_from(network, 1, x, l->output, *rates);
            rates += chunk->rate_stride;
            corrections += 2 * chunk->rate_stride;
            ++*learned;
        }
        clear(x, places, count);
        if (!is_sound) break;
    }
    return i;
}

#define EDDY_UNIT(B)                                                                                                  \
    static int64_t EDDY_NAME(run_unit_##B)(                                                                           \
        struct eddy_network * network, const struct eddy_chunk *chunk, uint64_t *learned) {                           \
        return run_unit(network, chunk, learned, B);                                                                  \
    }
EDDY_UNIT(1)
EDDY_UNIT(2)
EDDY_UNIT(3)
EDDY_UNIT(4)

typedef int64_t (*eddy_form)(struct eddy_network *, const struct eddy_chunk *, uint64_t *);

#define EDDY_HIDDEN(N, WIDTH, ACTIVATION)                                                                             \
    static int64_t EDDY_NAME(run_hidden_##N##_##WIDTH##_##ACTIVATION)(                                                \
        struct eddy_network * network, const struct eddy_chunk *chunk, uint64_t *learned) {                           \
        return run_hidden_##WIDTH(network, chunk, learned, N, ACTIVATION);                                            \
    }
#define EDDY_HIDDEN_FORMS(WIDTH, ACTIVATION)                                                                          \
    EDDY_HIDDEN(1, WIDTH, ACTIVATION)                                                                                 \
    EDDY_HIDDEN(2, WIDTH, ACTIVATION)                                                                                 \
    EDDY_HIDDEN(3, WIDTH, ACTIVATION)                                                                                 \
    static const eddy_form EDDY_NAME(hidden_##WIDTH##_##ACTIVATION)[3] = {                                            \
        EDDY_NAME(run_hidden_1_##WIDTH##_##ACTIVATION), EDDY_NAME(run_hidden_2_##WIDTH##_##ACTIVATION),               \
        EDDY_NAME(run_hidden_3_##WIDTH##_##ACTIVATION)};
EDDY_HIDDEN_FORMS(8, EDDY_TANH)
EDDY_HIDDEN_FORMS(8, EDDY_RELU)
EDDY_HIDDEN_FORMS(16, EDDY_TANH)
EDDY_HIDDEN_FORMS(16, EDDY_RELU)

#define EDDY_SHALLOW(H, Q)                                                                                            \
    static int64_t EDDY_NAME(run_shallow_##H##_##Q)(                                                                  \
        struct eddy_network * network, const struct eddy_chunk *chunk, uint64_t *learned) {                           \
        return run_shallow(network, chunk, learned, H, Q);                                                            \
    }
EDDY_SHALLOW(1, 1)
EDDY_SHALLOW(1, 3)
EDDY_SHALLOW(2, 1)
EDDY_SHALLOW(2, 3)

/// Whether the network has the shape of run_shallow, besides plain SGD.
EDDY_INLINE bool is_shallow(const struct eddy_network *network) {
    const struct eddy_layer *first = &network->layers[0], *head = &network->layers[1];
    return network->depth == 2 && network->loss == EDDY_CROSS_ENTROPY && head->activation == EDDY_IDENTITY
        && (first->activation == EDDY_TANH || first->activation == EDDY_RELU) && !first->by_output && head->by_output
        && first->inputs <= EDDY_UNLISTED && first->outputs <= 32 && head->outputs <= 12;
}

int64_t EDDY_NAME(eddy_run)(struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned) {
    network->reach = 0;
    if (chunk->places) return EDDY_NAME(run_sparse)(network, chunk, learned);
    const struct eddy_layer *first = &network->layers[0], *head = &network->layers[network->depth - 1];
    bool is_plain = is_plain_besides_decay(network) && network->update.l2 == 0;
    if (is_plain && head->outputs == 1 && head->activation == EDDY_IDENTITY) {
        if (network->depth == 1) {
            switch (first->padded_inputs) {
            case 16: return EDDY_NAME(run_unit_1)(network, chunk, learned);
            case 32: return EDDY_NAME(run_unit_2)(network, chunk, learned);
            case 48: return EDDY_NAME(run_unit_3)(network, chunk, learned);
            case 64: return EDDY_NAME(run_unit_4)(network, chunk, learned);
            }
        }
        bool is_resident = network->depth == 2 && !first->by_output && first->outputs <= 16 && first->inputs <= 3;
        if (is_resident && (first->activation == EDDY_TANH || first->activation == EDDY_RELU)) {
            bool is_tanh = first->activation == EDDY_TANH;
            const eddy_form *narrow = is_tanh ? EDDY_NAME(hidden_8_EDDY_TANH) : EDDY_NAME(hidden_8_EDDY_RELU);
            const eddy_form *wide = is_tanh ? EDDY_NAME(hidden_16_EDDY_TANH) : EDDY_NAME(hidden_16_EDDY_RELU);
            return (first->outputs <= 8 ? narrow : wide)[first->inputs - 1](network, chunk, learned);
        }
    }
    if (is_plain && is_shallow(network)) {
        bool is_narrow = first->outputs <= 16;
        if (head->outputs <= 4) {
            return (is_narrow ? EDDY_NAME(run_shallow_1_1) : EDDY_NAME(run_shallow_2_1))(network, chunk, learned);
        }
        return (is_narrow ? EDDY_NAME(run_shallow_1_3) : EDDY_NAME(run_shallow_2_3))(network, chunk, learned);
    }
    network->reach = find_reach(network, chunk->count);
    if (network->blocks.is_used) return EDDY_NAME(run_blocks)(network, chunk, learned);
    return EDDY_NAME(run_any)(network, chunk, learned);
}

void EDDY_NAME(eddy_settle)(struct eddy_network *network) { settle(network); }
