// What a rule makes of a gradient: the same operations in the same order as UpdateRule.swift, which has the equations.
//
// Each rule has loops of its own, chosen once a layer; what they load beside weights and state is one row's factors.
// Adam costs a square root and a division a weight: approximations of their reciprocals would be other bits on other
// machines.

#if __has_builtin(__builtin_elementwise_sqrt)
#define EDDY_ROOT(V, x) __builtin_elementwise_sqrt(x)
#else
EDDY_INLINE vn root_of_each(vn x) {
    for (int k = 0; k < EDDY_WIDTH; k++) x[k] = __builtin_sqrtf(x[k]);
    return x;
}
EDDY_INLINE float root_of_one(float x) { return __builtin_sqrtf(x); }
#define EDDY_ROOT(V, x) _Generic((x), float: root_of_one, vn: root_of_each)(x)
#endif

/// The weights w after the gradient g. `state`: theirs, a block every `stride` floats. V: a register, or float.
#define EDDY_APPLY(V, NAME)                                                                                           \
    EDDY_INLINE V NAME(int rule, const struct eddy_update u, V w, V g, float *state, int64_t stride) {                \
        V *a = (V *)state, *b = (V *)(state + stride);                                                                \
        switch (rule) {                                                                                               \
        case EDDY_MOMENTUM: return w - (*a = *a * u.decays[0] + g) * u.rate;                                          \
        case EDDY_NESTEROV:                                                                                           \
            *a = *a * u.decays[0] + g;                                                                                \
            return w - (g + *a * u.decays[0]) * u.rate;                                                               \
        case EDDY_ADAGRAD:                                                                                            \
            *a = *a + g * g;                                                                                          \
            return w - (g * u.rate) / (EDDY_ROOT(V, *a) + u.epsilon);                                                 \
        case EDDY_RMSPROP:                                                                                            \
            *a = *a * u.decays[0] + (g * g) * u.gains[0];                                                             \
            return w - (g * u.rate) / (EDDY_ROOT(V, *a) + u.epsilon);                                                 \
        case EDDY_ADAM:                                                                                               \
        case EDDY_ADAMW: {                                                                                            \
            V m = *a * u.decays[0] + g * u.gains[0], v = *b * u.decays[1] + (g * g) * u.gains[1];                     \
            *a = m;                                                                                                   \
            *b = v;                                                                                                   \
            return w - (m * (u.rate * u.corrections[0])) / (EDDY_ROOT(V, v) * u.corrections[1] + u.epsilon);          \
        }                                                                                                             \
        case EDDY_COCOB: {                                                                                            \
            V *c = (V *)(state + 2 * stride), *d = (V *)(state + 3 * stride), start = *(V *)(state + 4 * stride);     \
            V magnitude = g < 0 ? -g : g, largest = magnitude > *a ? magnitude : *a, sum = *b + magnitude;            \
            V won = *c - (w - start) * g, reward = won < 0 ? (V)0.0f : won, theta = *d - g;                           \
            *a = largest;                                                                                             \
            *b = sum;                                                                                                 \
            *c = reward;                                                                                              \
            *d = theta;                                                                                               \
            V all = sum + largest, least = largest * u.alpha, divisor = largest * (least > all ? least : all);        \
            V bet = theta / (divisor <= 0 ? (V)1.0f : divisor) * (largest + reward);                                  \
            V low = bet < -u.bound ? (V)-u.bound : bet, bounded = low > u.bound ? (V)u.bound : low;                   \
            return start + (divisor <= 0 ? (V)0.0f : bounded);                                                        \
        }                                                                                                             \
        default: return w - g * u.rate;                                                                               \
        }                                                                                                             \
    }                                                                                                                 \
                                                                                                                      \
    /* Of a weight, not a bias: with L1 and L2 where it SHRINKS. */                                                   \
    EDDY_INLINE V NAME##_shrinking(                                                                                   \
        int rule, const struct eddy_update u, V w, V g, float *state, int64_t stride, bool shrinks) {                 \
        if (shrinks && rule == EDDY_ADAMW) {                                                                          \
            if (u.l2 != 0) w = w * (1.0f - u.rate * u.l2);                                                            \
        } else if (shrinks) {                                                                                         \
            g = g + w * u.l2;                                                                                         \
        }                                                                                                             \
        if (shrinks) g = g + (w > 0 ? (V)u.l1 : (w < 0 ? (V)-u.l1 : (V)0.0f));                                        \
        return NAME(rule, u, w, g, state, stride);                                                                    \
    }
EDDY_APPLY(vn, apply)
EDDY_APPLY(float, apply_to_one)

/// A row of weights, whose gradient is vector · scalar.
EDDY_INLINE void apply_to_row(
    int rule, const struct eddy_update u, float *w, float *state, int64_t state_stride, const float *vector,
    float scalar, int32_t padded, bool shrinks) {
    for (int32_t k = 0; k < padded; k += EDDY_WIDTH) {
        vn g = *registers_of(vector + k) * scalar;
        *registers(w + k) =
            apply_shrinking(rule, u, *registers_of(w + k), g, state + k, state_stride, shrinks);
    }
}

EDDY_INLINE void apply_to_bias(int rule, const struct eddy_update u, struct eddy_layer *l) {
    float *state = l->state ? l->state + (l->bias - l->weights) : 0;
    for (int32_t k = 0; k < l->padded_outputs; k += EDDY_WIDTH) {
        vn *b = registers(l->bias + k);
        *b = apply(rule, u, *b, *registers_of(l->delta + k), state + k, l->state_stride);
    }
}

/// All weights and biases of a layer.
EDDY_INLINE void apply_to_layer(
    int rule, const struct eddy_update u, struct eddy_layer *l, const float *x, bool shrinks) {
    const float *vector = l->by_output ? x : l->delta, *scalars = l->by_output ? l->delta : x;
    const int32_t rows = l->by_output ? l->outputs : l->inputs, stride = l->stride;
    const bool rests = !shrinks && (rule == EDDY_ADAGRAD || rule == EDDY_COCOB || rule == EDDY_SGD);
    float *w = l->weights, *state = l->state;
    const int64_t state_stride = l->state_stride;
    for (int32_t i = 0; i < rows; i++, w += stride, state += state ? stride : 0) {
        if (rests && scalars[i] == 0) continue;
        apply_to_row(rule, u, w, state, state_stride, vector, scalars[i], stride, shrinks);
    }
    apply_to_bias(rule, u, l);
}

#define EDDY_EACH_RULE(CALL)                                                                                          \
    switch (network->rule) {                                                                                          \
    case EDDY_SGD: CALL(EDDY_SGD) break;                                                                              \
    case EDDY_MOMENTUM: CALL(EDDY_MOMENTUM) break;                                                                    \
    case EDDY_NESTEROV: CALL(EDDY_NESTEROV) break;                                                                    \
    case EDDY_ADAGRAD: CALL(EDDY_ADAGRAD) break;                                                                      \
    case EDDY_RMSPROP: CALL(EDDY_RMSPROP) break;                                                                      \
    case EDDY_ADAM: CALL(EDDY_ADAM) break;                                                                            \
    case EDDY_ADAMW: CALL(EDDY_ADAMW) break;                                                                          \
    case EDDY_COCOB: CALL(EDDY_COCOB) break;                                                                          \
    }

/// Whether updates are W −= rate · x dzᵀ, but for L2.
EDDY_INLINE bool is_plain_besides_decay(const struct eddy_network *network) {
    return network->rule == EDDY_SGD && network->update.l1 == 0;
}

/// One layer's update by any rule. A call, not inlined: the loops of all rules would bury the step around it.
static __attribute__((noinline)) void EDDY_NAME(descend)(
    const struct eddy_network *network, struct eddy_layer *l, const float *x, float rate) {
    struct eddy_update u = network->update;
    u.rate = rate;
    bool shrinks = u.l1 != 0 || u.l2 != 0;
#define EDDY_LAYER(RULE)                                                                                              \
    if (shrinks) {                                                                                                    \
        apply_to_layer(RULE, u, l, x, true);                                                                          \
    } else {                                                                                                          \
        apply_to_layer(RULE, u, l, x, false);                                                                         \
    }
    EDDY_EACH_RULE(EDDY_LAYER)
}

EDDY_INLINE void descend_by_rule(
    const struct eddy_network *network, struct eddy_layer *l, const float *x, float rate) {
    EDDY_NAME(descend)(network, l, x, rate);
}
