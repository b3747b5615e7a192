// From the last layer's sums to predictions, loss and ∂loss/∂outputs.

#define EDDY_FINITE(x) (__builtin_fabsf(x) <= 3.40282347e+38f)

/// The highest of sixteen lanes.
EDDY_INLINE float highest_across(v16 best) {
    v8 a = __builtin_shufflevector(best, best, 0, 1, 2, 3, 4, 5, 6, 7);
    v8 b = __builtin_shufflevector(best, best, 8, 9, 10, 11, 12, 13, 14, 15);
    v8 eight = a > b ? a : b;
    v4 c = __builtin_shufflevector(eight, eight, 0, 1, 2, 3), d = __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    v4 four = c > d ? c : d;
    v4 e = __builtin_shufflevector(four, four, 2, 3, 0, 1);
    v4 two = four > e ? four : e;
    return two[0] > two[1] ? two[0] : two[1];
}

/// The highest of `count` numbers in padded lanes.
EDDY_INLINE float highest(const float *z, int32_t count) {
    v16 best = (v16)-3.40282347e+38f;
    for (int32_t k = 0; k < count; k += 16) {
        v16 v = *lanes_of(z + k);
        best = ((places_from(k) < count) & (v > best)) ? v : best;
    }
    return highest_across(best);
}

/// The head's delta becomes softmax(z), padded with zeros; returns the logarithm of Σ e^(z − highest).
EDDY_INLINE float softmax(struct eddy_layer *head, float highest) {
    v16 even = {}, odd = {};
    for (int32_t k = 0; k < head->padded_outputs; k += 16) {
        v16 e = exp_16(*lanes_of(head->output + k) - highest);
        if (k + 16 > head->outputs) e = places_from(k) < head->outputs ? e : (v16)0;
        *(v16 *)(head->delta + k) = e;
        if (k & 16) {
            odd += e;
        } else {
            even += e;
        }
    }
    float sum = across(even + odd);
    for (int32_t k = 0; k < head->padded_outputs; k += EDDY_WIDTH) *registers(head->delta + k) /= sum;
    return EDDY_ONE(log, sum);
}

EDDY_INLINE bool all_finite(const float *x, int32_t count) {
    bool finite = true;
    for (int32_t k = 0; k < count; k++) finite &= EDDY_FINITE(x[k]);
    return finite;
}

/// The outputs as probabilities or values; false where one is not finite.
EDDY_INLINE bool predict(const struct eddy_network *network, float *prediction) {
    struct eddy_layer *head = &network->layers[network->depth - 1];
    const float *z = head->output;
    int32_t outputs = head->outputs;
    switch (network->loss) {
    case EDDY_SQUARED:
    case EDDY_HUBER: copy_out(prediction, z, outputs); break;
    case EDDY_BINARY_CROSS_ENTROPY:
        for (int32_t k = 0; k < outputs; k++) prediction[k] = EDDY_ONE(sigmoid, z[k]);
        break;
    case EDDY_CROSS_ENTROPY:
        (void)softmax(head, highest(z, outputs));
        copy_out(prediction, head->delta, outputs);
        break;
    }
    return all_finite(prediction, outputs);
}

/// One output's part of the loss, and its gradient.
EDDY_INLINE float squared(float z, float target, float *delta) {
    float e = z - target;
    *delta = 2.0f * e;
    return e * e;
}

EDDY_INLINE float huber(float z, float target, float bound, float *delta) {
    float e = z - target, a = __builtin_fabsf(e);
    float low = e < -bound ? -bound : e;
    *delta = low > bound ? bound : low;
    return a <= bound ? 0.5f * e * e : bound * (a - 0.5f * bound);
}

/// Without its last term, log(1 + e^−|z|), whose exponential it returns in `exponential`.
EDDY_INLINE float binary_cross_entropy(float z, float target, float *prediction, float *delta, float *exponential) {
    v4 all = four_times(z), e = exp_4(-magnitude_4(all));
    float p = sigmoid_given_4(all, e)[0];
    *prediction = p;
    *delta = p - target;
    *exponential = e[0];
    return (z > 0 ? z : 0) - z * target;
}

/// The loss; leaves ∂loss/∂outputs in the head's delta.
EDDY_INLINE float score(const struct eddy_network *network, const float *target, float *prediction) {
    struct eddy_layer *head = &network->layers[network->depth - 1];
    const float *z = head->output;
    float *dy = head->delta, value = 0;
    int32_t outputs = head->outputs;
    switch (network->loss) {
    case EDDY_SQUARED:
        for (int32_t k = 0; k < outputs; k++) value += squared(prediction[k] = z[k], target[k], dy + k);
        break;
    case EDDY_HUBER:
        for (int32_t k = 0; k < outputs; k++) {
            value += huber(prediction[k] = z[k], target[k], network->huber_delta, dy + k);
        }
        break;
    case EDDY_BINARY_CROSS_ENTROPY:
        for (int32_t k = 0; k < outputs; k++) {
            float e, part = binary_cross_entropy(z[k], target[k], prediction + k, dy + k, &e);
            value += part + EDDY_ONE(log1p, e);
        }
        break;
    case EDDY_CROSS_ENTROPY: {
        int32_t label = (int32_t)target[0];
        float top = highest(z, outputs);
        value = softmax(head, top) - (z[label] - top);
        copy_out(prediction, dy, outputs);
        v16 *block = (v16 *)(dy + (label & ~15));
        *block = *block - (places_from(label & ~15) == label ? (v16)1.0f : (v16)0.0f);
        break;
    }
    }
    return value;
}
