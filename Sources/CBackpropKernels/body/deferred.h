// The deferred update of the first layer: sample t's rank-one update is written while sample t + 1 is read.
//
// A large layer's cost is the passes over its weights, and this saves one: weights are read and written once a sample
// instead of read, then read and written. Each weight still gets the same subtraction before it is multiplied, so the
// bits are those of the eager form.

/// N rows of a layer whose rows are outputs, those that `rows` names: the pending update, then the product with x.
/// IS_LIVE: whether the update of these rows is there at all.
#define EDDY_ROWS(N, IS_LIVE, NAME)                                                                                   \
    EDDY_INLINE void NAME(                                                                                            \
        struct eddy_layer *l, const float *x, const float *px, float rate, const float *pd, const uint32_t *rows) {   \
        v16 even[N] = {}, odd[N] = {};                                                                                \
        v16 *w[N];                                                                                                    \
        float g[N];                                                                                                   \
        for (int i = 0; i < N; i++) {                                                                                 \
            w[i] = (v16 *)(l->weights + (int64_t)rows[i] * l->stride);                                                \
            g[i] = IS_LIVE ? -rate * pd[rows[i]] : 0;                                                                 \
        }                                                                                                             \
        int32_t blocks = l->padded_inputs / 16, k = 0;                                                                \
        for (; k + 2 <= blocks; k += 2) {                                                                             \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) {                                          \
                if (IS_LIVE) {                                                                                        \
                    w[i][k] += lanes_of(px)[k] * g[i];                                                                \
                    w[i][k + 1] += lanes_of(px)[k + 1] * g[i];                                                        \
                }                                                                                                     \
                even[i] += w[i][k] * lanes_of(x)[k];                                                                  \
                odd[i] += w[i][k + 1] * lanes_of(x)[k + 1];                                                           \
            }                                                                                                         \
        }                                                                                                             \
        if (k < blocks) {                                                                                             \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < N; i++) {                                          \
                if (IS_LIVE) w[i][k] += lanes_of(px)[k] * g[i];                                                       \
                even[i] += w[i][k] * lanes_of(x)[k];                                                                  \
            }                                                                                                         \
        }                                                                                                             \
        for (int i = 0; i < N; i++) l->output[rows[i]] = across(even[i] + odd[i]) + l->bias[rows[i]];                 \
    }

EDDY_ROWS(1, 1, live_rows_1)
EDDY_ROWS(1, 0, dead_rows_1)
#if EDDY_WIDTH == 16
#define EDDY_ROWS_AT_ONCE 4
EDDY_ROWS(4, 1, live_rows_n)
EDDY_ROWS(4, 0, dead_rows_n)
#else
#define EDDY_ROWS_AT_ONCE 2
EDDY_ROWS(2, 1, live_rows_n)
EDDY_ROWS(2, 0, dead_rows_n)
#endif

/// y = W x + b for all outputs, the pending update written on the way into the rows that have one.
///
/// Rows come in blocks, and blocks in one direction for one sample, in the other for the next: what the last sweep read
/// last is still in the cache, where a sweep that always began at the top would find nothing of a layer beyond it.
EDDY_INLINE void forward_by_output_pending(struct eddy_layer *l, const float *x, struct eddy_pending *p) {
    enum { BLOCK = 32 };
    int32_t blocks = (l->outputs + BLOCK - 1) / BLOCK;
    for (int32_t b = 0; b < blocks; b++) {
        int32_t first = (p->is_downward ? blocks - 1 - b : b) * BLOCK;
        int32_t last = first + BLOCK < l->outputs ? first + BLOCK : l->outputs;
        // The rows that have an update, then the others; no branch depends on it.
        uint32_t rows[2 * BLOCK];
        int32_t live = 0;
        for (int32_t i = first; i < last; i++) {
            rows[live] = (uint32_t)i;
            live += p->delta[i] != 0;
        }
        int32_t count = live;
        for (int32_t i = first; i < last; i++) {
            rows[count] = (uint32_t)i;
            count += p->delta[i] == 0;
        }
        int32_t r = 0;
        for (; r + EDDY_ROWS_AT_ONCE <= live; r += EDDY_ROWS_AT_ONCE) {
            live_rows_n(l, x, p->input, p->rate, p->delta, rows + r);
        }
        for (; r < live; r++) live_rows_1(l, x, p->input, p->rate, p->delta, rows + r);
        for (; r + EDDY_ROWS_AT_ONCE <= count; r += EDDY_ROWS_AT_ONCE) {
            dead_rows_n(l, x, p->input, p->rate, p->delta, rows + r);
        }
        for (; r < count; r++) dead_rows_1(l, x, p->input, p->rate, p->delta, rows + r);
    }
    p->is_downward = !p->is_downward;
}

/// Writes the pending update.
EDDY_INLINE void settle(struct eddy_network *network) {
    struct eddy_pending *p = &network->pending;
    if (!p->is_set) return;
    p->is_set = false;
    struct eddy_layer *l = &network->layers[0];
    if (l->by_output) {
        update_by_output(l, p->input, p->rate, p->delta);
    } else {
        update_by_input(l, p->input, p->live, p->live_count, p->rate, p->delta);
    }
}

/// z = xW + b of the first layer while an update is pending, which is written.
EDDY_INLINE void forward_pending(struct eddy_network *network, const float *x) {
    struct eddy_pending *p = &network->pending;
    struct eddy_layer *l = &network->layers[0];
    if (l->by_output) {
        forward_by_output_pending(l, x, p);
    } else if (p->live_count + l->live_count > l->inputs) {
        forward_by_input_pending(l, x, p->input, p->delta);
        if (l->live_count < l->inputs) {  // rows that only the update touches
            for (int32_t r = 0; r < p->live_count; r++) {
                uint32_t j = p->live_count == l->inputs ? (uint32_t)r : p->live[r];
                if (x[j] == 0) {
                    subtract(l->weights + (int64_t)j * l->stride, p->delta, p->rate * p->input[j], l->padded_outputs);
                }
            }
        }
    } else {  // so sparse that two passes over the live rows are less
        settle(network);
        forward_by_input(l, x);
    }
    p->is_set = false;
}

/// Keeps the update of sample x for later.
EDDY_INLINE void postpone(struct eddy_network *network, const float *x, float rate) {
    struct eddy_pending *p = &network->pending;
    struct eddy_layer *l = &network->layers[0];
    p->is_set = true;
    p->rate = rate;
    p->input = x;
    memcpy(p->delta, l->delta, sizeof(float) * (size_t)l->padded_outputs);
    if (!l->by_output) {  // all of −rate · x now: a product for each row, in the sweep, would wait for a broadcast
        find_steps(x, rate, l->padded_inputs, p->kept);
        p->input = p->kept;
        p->rate = -1;
        uint32_t *live = p->live;
        p->live = l->live;
        p->live_count = l->live_count;
        l->live = live;
    }
    subtract(l->bias, l->delta, rate, l->padded_outputs);
}
