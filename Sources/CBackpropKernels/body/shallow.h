// Two layers, the first of up to 32 units, the second a softmax over up to 12 classes.
//
// A step of such a network is a few hundred vector operations. The general form (step.h) spends more instructions on
// finding out what to do next than on doing it: 3,000 for a sample of 64 inputs, 32 units and 10 classes, where this one
// takes 1,400, since widths are constants here and what lies between the layers never leaves the registers. The first
// layer has too many weights for registers, but each is still loaded and stored only once a sample: its update waits for
// the next sample's forward pass (as in deferred.h), though not beyond the chunk. The bits are those of the general form.

#define EDDY_UNROLLED _Pragma("clang loop unroll(full)") for

/// The second layer's weights, a row a class; rows behind the last class are zeros, and stay it.
typedef v16 eddy_head[12][2];

/// The second layer's products with y. H: sixteens of hidden units; Q: fours of classes.
EDDY_INLINE v16 class_products(const eddy_head w, const v16 *y, const int H, const int Q) {
    v4 four[4] = {};
    EDDY_UNROLLED(int q = 0; q < Q; q++) {
        v16 product[4];
        EDDY_UNROLLED(int k = 0; k < 4; k++) {
            product[k] = w[4 * q + k][0] * y[0];
            if (H > 1) product[k] += w[4 * q + k][1] * y[1];
        }
        four[q] = across4(product[0], product[1], product[2], product[3]);
    }
    return joined(four[0], four[1], four[2], four[3]);
}

EDDY_INLINE v16 sum_of_squares(const v16 *v, const int H) { return H > 1 ? v[0] * v[0] + v[1] * v[1] : v[0] * v[0]; }

EDDY_INLINE int64_t run_shallow(
    struct eddy_network *network, const struct eddy_chunk *chunk, uint64_t *learned, const int H, const int Q) {
    settle(network);
    const struct eddy_layer *head = &network->layers[1];
    struct eddy_layer first = network->layers[0];
    first.padded_outputs = first.stride = 16 * H;
    const int32_t inputs = first.inputs, padded_inputs = first.padded_inputs, outputs = head->outputs;
    const bool is_tanh = first.activation == EDDY_TANH;
    const int64_t samples = chunk->count, input_stride = chunk->input_stride, rate_stride = chunk->rate_stride;
    const float *x = chunk->inputs, *importance = chunk->weights, *rates = chunk->rates;
    float *prediction = chunk->predictions, *losses = chunk->losses;
    const float clip = network->clip, longest_update = network->longest_update, smoothing = network->norm_smoothing;
    float mean = network->gradient_norms[0], head_mean = network->gradient_norms[1];
    uint64_t count = *learned;
    const i16 places = places_from(0);

    v16 bias = *lanes_of(head->bias), dz[2] = {};
    eddy_head w = {};
    for (int c = 0; c < outputs; c++) {
        for (int h = 0; h < H; h++) w[c][h] = lanes_of(head->weights + c * 16 * H)[h];
    }
    _Alignas(64) float steps[EDDY_UNLISTED];  // −rate · x of the sample whose update of the first layer, with dz, waits
    bool is_pending = false;
    int64_t i = 0;
    for (; i < samples; i++, x += input_stride, prediction += outputs) {
        if (is_pending) {
            forward_rows(&first, x, inputs, steps, (const float *)dz, true, false);
        } else {
            forward_rows(&first, x, inputs, x, x, false, false);
        }
        is_pending = false;
        v16 y[2];
        EDDY_UNROLLED(int h = 0; h < H; h++) {
            v16 z = lanes_of(first.output)[h];
            y[h] = is_tanh ? tanh_16(z) : z <= 0 ? (v16)0.0f : z;
        }
        _Alignas(64) float logits[16], probabilities[16];
        v16 z = class_products(w, y, H, Q) + bias;
        float top = highest_across(places < outputs ? z : (v16)-3.40282347e+38f);
        v16 e = places < outputs ? exp_16(z - top) : (v16)0.0f;
        float sum = across(e);
        v16 p = e / sum;
        *(v16 *)logits = z;
        *(v16 *)probabilities = p;
        copy_out(prediction, probabilities, outputs);

        float target = chunk->targets[i * chunk->target_stride];
        if (__builtin_isnan(target)) {
            losses[i] = target;
            if (!EDDY_FINITE(sum)) break;
            continue;
        }
        int32_t label = (int32_t)target;
        float loss = EDDY_ONE(log, sum) - (logits[label] - top), rate = *rates, factor;
        if (EDDY_RARELY(!EDDY_FINITE(loss))) break;
        v16 delta = p - (places == label ? (v16)1.0f : (v16)0.0f);
        if (importance) delta *= importance[i];
        EDDY_UNROLLED(int h = 0; h < H; h++) {
            v16 d = {};
            EDDY_UNROLLED(int c = 0; c < 4 * Q; c++) d += w[c][h] * delta[c];
            dz[h] = is_tanh ? d * (1.0f - y[h] * y[h]) : y[h] <= 0 ? (v16)0.0f : d;
        }
        v4 squares = across4(
            delta * delta, sum_of_squares(y, H), sum_of_squares(dz, H), sum_by_lanes(x, x, padded_inputs));
        float above = squares[0] * (squares[1] + 1.0f), below = squares[2] * (squares[3] + 1.0f);
        if (EDDY_RARELY(!judge(above + below, rate, clip, longest_update, &factor))) break;
        losses[i] = loss;
        if (EDDY_RARELY(factor != 1)) {
            EDDY_STAYS_A_BRANCH;
            delta *= factor;
            for (int h = 0; h < H; h++) dz[h] *= factor;
        }
        mean += (square_root(below) * factor - mean) * smoothing;
        head_mean += (square_root(above) * factor - head_mean) * smoothing;

        is_pending = true;
        find_steps(x, rate, padded_inputs, steps);
        subtract(first.bias, (const float *)dz, rate, 16 * H);
        v16 g = delta * -rate;
        bias += g;
        EDDY_UNROLLED(int c = 0; c < 4 * Q; c++) {
            EDDY_UNROLLED(int h = 0; h < H; h++) w[c][h] += y[h] * g[c];
        }
        rates += rate_stride;
        count++;
    }
    if (is_pending) update_by_input(&first, steps, first.live, inputs, -1, (const float *)dz);
    for (int c = 0; c < outputs; c++) {
        for (int h = 0; h < H; h++) ((v16 *)(head->weights + c * 16 * H))[h] = w[c][h];
    }
    *(v16 *)head->bias = bias;
    network->gradient_norms[0] = mean;
    network->gradient_norms[1] = head_mean;
    *learned = count;
    return i;
}
