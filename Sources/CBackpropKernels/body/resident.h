// Tiny networks: all weights stay in registers for a whole chunk.
//
// What a step of such a network costs is the chain from one sample's weights to the next one's: product, sum across
// lanes, sigmoid, delta, weights. What is beside it (norms, judgement, the loss's logarithm) is kept off the chain and
// short, so that the machine does it meanwhile. For the same reason lanes are held in the registers that make their
// sum shortest: by fours where there is one unit, by eight where there are up to eight.

/// Losses that still lack log(1 + e): added for sixteen samples at a time.
struct unfinished_losses {
    _Alignas(64) float exponentials[16];
};

EDDY_INLINE void finish_losses(const struct unfinished_losses *u, float *losses, int64_t count) {
    v16 terms = log1p_16(*lanes_of(u->exponentials));
    if (count == 16) {
        *(v16u *)losses += terms;
    } else {
        for (int64_t i = 0; i < count; i++) losses[i] += terms[i];
    }
}

/// The one output's prediction, loss (for binary cross-entropy without its logarithm) and gradient.
EDDY_INLINE float score_one(
    int loss, float huber_delta, float z, float target, float *prediction, float *delta, float *exponential) {
    *prediction = z;
    switch (loss) {
    case EDDY_SQUARED: return squared(z, target, delta);
    case EDDY_HUBER: return huber(z, target, huber_delta, delta);
    default: return binary_cross_entropy(z, target, prediction, delta, exponential);
    }
}

/// What the loops read and write beside weights, held where no store can touch it.
#define EDDY_RESIDENT                                                                                                 \
    const int64_t samples = chunk->count, input_stride = chunk->input_stride, rate_stride = chunk->rate_stride;       \
    const float *x = chunk->inputs, *targets = chunk->targets, *importance = chunk->weights, *rates = chunk->rates;   \
    float *predictions = chunk->predictions, *losses = chunk->losses;                                                 \
    const int loss = network->loss;                                                                                   \
    const float huber_delta = network->huber_delta, smoothing = network->norm_smoothing;                              \
    const float clip = network->clip, longest_update = network->longest_update;                                       \
    uint64_t count = *learned;                                                                                        \
    struct unfinished_losses unfinished = {};                                                                         \
    int64_t i = 0, first = 0;

/// Keeps the exponential; after each sixteenth, finishes the losses of the last sixteen.
#define EDDY_FINISH_SIXTEEN                                                                                           \
    unfinished.exponentials[i - first] = exponential;                                                                 \
    if (i - first == 15) {                                                                                            \
        if (loss == EDDY_BINARY_CROSS_ENTROPY) finish_losses(&unfinished, losses + first, 16);                        \
        first = i + 1;                                                                                                \
    }

// MARK: One unit: up to 64 inputs, 1 output

/// B: sixteens of inputs.
EDDY_INLINE int64_t run_unit(
    struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned, int B) {
    EDDY_RESIDENT
    struct eddy_layer *l = &network->layers[0];
    v4 w[16];
    for (int k = 0; k < 4 * B; k++) w[k] = ((const v4 *)l->weights)[k];
    float bias = l->bias[0], mean = network->gradient_norms[0];
    for (; i < samples; i++, x += input_stride) {
        v4 sum[8] = {}, square[8] = {};  // of even sixteens, then of odd
        for (int k = 0; k < 4 * B; k++) {
            v4 value = ((const v4 *)x)[k];
            if (k < 8) {
                sum[k] = w[k] * value;
                square[k] = value * value;
            } else {
                sum[k - 8] += w[k] * value;
                square[k - 8] += value * value;
            }
        }
        float z = across_quarters(sum[0] + sum[4], sum[1] + sum[5], sum[2] + sum[6], sum[3] + sum[7]) + bias;
        float target = targets[i], prediction, delta, exponential = 0;
        float value = score_one(loss, huber_delta, z, target, &prediction, &delta, &exponential);
        predictions[i] = prediction;
        if (__builtin_isnan(target)) {
            if (!EDDY_FINITE(prediction)) break;
            losses[i] = target;
        } else {
            if (EDDY_RARELY(!EDDY_FINITE(value))) break;
            if (importance) delta *= importance[i];
            float rate = *rates, factor;
            float norm = across_quarters(
                square[0] + square[4], square[1] + square[5], square[2] + square[6], square[3] + square[7]);
            float squares = (delta * delta) * (norm + 1.0f);
            if (EDDY_RARELY(!judge(squares, rate, clip, longest_update, &factor))) break;
            losses[i] = value;
            if (EDDY_RARELY(factor != 1)) {
                EDDY_STAYS_A_BRANCH;
                delta *= factor;
            }
            mean += (square_root(squares) * factor - mean) * smoothing;
            float g = rate * delta;
            for (int k = 0; k < 4 * B; k++) w[k] -= ((const v4 *)x)[k] * g;
            bias -= g;
            rates += rate_stride;
            count++;
        }
        EDDY_FINISH_SIXTEEN
    }
    if (loss == EDDY_BINARY_CROSS_ENTROPY) finish_losses(&unfinished, losses + first, i - first);
    for (int k = 0; k < 4 * B; k++) ((v4 *)l->weights)[k] = w[k];
    l->bias[0] = bias;
    network->gradient_norms[0] = mean;
    *learned = count;
    return i;
}

// MARK: One hidden layer: up to 3 inputs, up to 16 units, 1 output

/// N: inputs, whose sums of at most three are one after another; `activation`: tanh or ReLU.
#define EDDY_RUN_HIDDEN(V, SUFFIX, ACROSS)                                                                            \
    EDDY_INLINE int64_t run_hidden_##SUFFIX(                                                                          \
        struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned, int N,                       \
        int activation) {                                                                                             \
        EDDY_RESIDENT                                                                                                 \
        struct eddy_layer *l = &network->layers[0], *head = &network->layers[1];                                      \
        V w[3], b = *(const V *)l->bias, v = *(const V *)head->weights;                                               \
        for (int j = 0; j < N; j++) w[j] = *(const V *)(l->weights + j * l->stride);                                  \
        float bias = head->bias[0], mean = network->gradient_norms[0], head_mean = network->gradient_norms[1];        \
        for (; i < samples; i++, x += input_stride) {                                                                 \
            V y = w[0] * x[0];                                                                                        \
            if (N > 1) y += w[1] * x[1];                                                                              \
            if (N > 2) y += w[2] * x[2];                                                                              \
            y += b;                                                                                                   \
            y = activation == EDDY_TANH ? tanh_##SUFFIX(y) : (y <= 0 ? (V)0 : y);                                     \
            float z = ACROSS(v * y) + bias;                                                                           \
            float target = targets[i], prediction, delta, exponential = 0;                                            \
            float value = score_one(loss, huber_delta, z, target, &prediction, &delta, &exponential);                 \
            predictions[i] = prediction;                                                                              \
            if (__builtin_isnan(target)) {                                                                            \
                if (!EDDY_FINITE(prediction)) break;                                                                  \
                losses[i] = target;                                                                                   \
            } else {                                                                                                  \
                if (EDDY_RARELY(!EDDY_FINITE(value))) break;                                                          \
                if (importance) delta *= importance[i];                                                               \
                V dz = v * delta;                                                                                     \
                dz = activation == EDDY_TANH ? dz * (1.0f - y * y) : (y <= 0 ? (V)0 : dz);                             \
                float rate = *rates, factor, inputs = *x * *x;                                                        \
                /* Lanes 0 and 2, then 1, as the sum across lanes has them. */                                        \
                if (N > 2) inputs += x[2] * x[2];                                                                     \
                if (N > 1) inputs += x[1] * x[1];                                                                     \
                float above = (delta * delta) * (ACROSS(y * y) + 1.0f), below = ACROSS(dz * dz) * (inputs + 1.0f);    \
                if (EDDY_RARELY(!judge(above + below, rate, clip, longest_update, &factor))) break;               \
                losses[i] = value;                                                                                    \
                if (EDDY_RARELY(factor != 1)) {                                                                       \
                    EDDY_STAYS_A_BRANCH;                                                                              \
                    delta *= factor;                                                                                  \
                    dz *= factor;                                                                                     \
                }                                                                                                     \
                mean += (square_root(below) * factor - mean) * smoothing;                                             \
                head_mean += (square_root(above) * factor - head_mean) * smoothing;                                   \
                for (int j = 0; j < N; j++) w[j] -= dz * (rate * x[j]);                                               \
                b -= dz * rate;                                                                                       \
                float g = rate * delta;                                                                               \
                v -= y * g;                                                                                           \
                bias -= g;                                                                                            \
                rates += rate_stride;                                                                                 \
                count++;                                                                                              \
            }                                                                                                         \
            EDDY_FINISH_SIXTEEN                                                                                       \
        }                                                                                                             \
        if (loss == EDDY_BINARY_CROSS_ENTROPY) finish_losses(&unfinished, losses + first, i - first);                 \
        for (int j = 0; j < N; j++) *(V *)(l->weights + j * l->stride) = w[j];                                        \
        *(V *)l->bias = b;                                                                                            \
        *(V *)head->weights = v;                                                                                      \
        head->bias[0] = bias;                                                                                         \
        network->gradient_norms[0] = mean;                                                                            \
        network->gradient_norms[1] = head_mean;                                                                       \
        *learned = count;                                                                                             \
        return i;                                                                                                     \
    }

EDDY_RUN_HIDDEN(v8, 8, across_8)
EDDY_RUN_HIDDEN(v16, 16, across)
