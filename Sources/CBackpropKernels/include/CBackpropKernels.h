// Training steps in C vector extensions: one body, compiled for every instruction set, chosen once at run time.
//
// What is computed, and in which order, is the arithmetic of `Network` (Backprop, Network+Step.swift: the readable form
// of the same), to the bit: sixteen lanes, fixed orders of summation, separate multiplication and addition, and none of
// libm. So the weights are the same on every machine, whichever body ran.

#ifndef C_BACKPROP_KERNELS_H
#define C_BACKPROP_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum eddy_activation {
    EDDY_IDENTITY, EDDY_STEP, EDDY_SIGMOID, EDDY_TANH, EDDY_RELU, EDDY_LEAKY_RELU
};

enum eddy_loss { EDDY_SQUARED, EDDY_HUBER, EDDY_BINARY_CROSS_ENTROPY, EDDY_CROSS_ENTROPY };

enum eddy_rule {
    EDDY_SGD, EDDY_MOMENTUM, EDDY_NESTEROV, EDDY_ADAGRAD, EDDY_RMSPROP, EDDY_ADAM, EDDY_ADAMW, EDDY_COCOB
};

/// A rule's numbers at one step (UpdateRule.swift has the equations; a rule reads what it has).
struct eddy_update {
    float rate;
    float l1, l2;
    float decays[2];        // momentum, ρ, or β₁ and β₂
    float gains[2];         // 1 − decays
    float epsilon, alpha;
    float corrections[2];   // 1 / (1 − β₁ᵗ), 1 / √(1 − β₂ᵗ)
    float bound;            // of a bet
};

/// One dense layer. All blocks are 64-byte aligned, padded to whole lanes with zeros.
struct eddy_layer {
    int32_t inputs, outputs;
    int32_t stride;         // floats from one row of weights to the next
    int32_t padded_inputs, padded_outputs;
    int32_t activation;     // enum eddy_activation
    bool by_output;         // a row an output; else a row an input
    float *weights, *bias;  // the bias behind the last row
    float *state;           // blocks, each as weights and bias; null where the rule keeps nothing
    int64_t state_stride;   // floats from one block to the next
    float *output;          // y (padded_outputs)
    float *delta;           // dz (padded_outputs)
    uint32_t *live;         // the inputs that are not zero, in order (the larger of both paddings, + 17)
    int32_t live_count;
};

/// The update of the first layer that has not been written yet: W −= rate · x dzᵀ.
struct eddy_pending {
    bool is_set;
    bool is_downward;       // the direction of the next sweep over rows; no bit depends on it
    float rate;
    const float *input;     // x: a row of the chunk that is being run, or `kept`; where rows are inputs, −rate · x, the
                            // rate itself being −1 then
    float *kept;            // (padded_inputs)
    float *delta;           // dz (padded_outputs)
    uint32_t *live;         // the inputs that are not zero, in order (as the layer's)
    int32_t live_count;
};

/// Blocks of samples, where the first layer is taken by them.
enum { EDDY_BLOCK_SAMPLES = 8 };
struct eddy_blocks {
    bool is_used;
    float *products;        // (EDDY_BLOCK_SAMPLES, padded_outputs)
    float *deltas;          // as products
    float rates[EDDY_BLOCK_SAMPLES];
};

struct eddy_network {
    struct eddy_layer *layers;
    int32_t depth;
    int32_t loss;           // enum eddy_loss
    float huber_delta;
    float clip;             // the longest gradient; infinity for none
    int32_t rule;           // enum eddy_rule
    struct eddy_update update;
    float longest_update;   // beyond it a sample is rejected
    float norm_smoothing;   // the newest sample's weight in gradient_norms
    float *gradient_norms;  // (depth)
    float *squares;         // (depth), scratch
    float *sparse_input;    // (the first layer's padded_inputs), zeros, where samples are sparse
    bool defers;            // whether updates of the first layer wait for the next sample's forward pass
    struct eddy_pending pending;
    struct eddy_blocks blocks;
    float reach;            // in a run: at least the norm of the second layer's weights; 0 where it is not known
    bool is_early;          // whether the second layer's weights have this sample's update already
};

struct eddy_chunk {
    int64_t count;
    int64_t input_stride, target_stride, outputs;
    const float *inputs, *targets;
    const uint32_t *places; // of the inputs that are not zero, ascending; null where `inputs` has all
    const float *values;    // as places
    const int64_t *ends;    // (count): behind each sample's places
    int64_t first_place;    // of the first sample
    const float *weights;   // null where all are 1
    const float *rates;     // the learning rate of the n-th sample learned from here, if rate_stride is 1; else of all
    int64_t rate_stride;
    const float *corrections; // (as rates, 2): of Adam
    float *predictions, *losses;
};

/// The instruction sets that a body is there for, the plainest first.
enum eddy_kernels { EDDY_BASELINE, EDDY_AVX2, EDDY_AVX512 };

/// The widest that this machine can run.
enum eddy_kernels eddy_widest_kernels(void);

/// From here on this thread takes subnormal numbers for zero, and gives zero instead of one; returns what to restore.
///
/// A gradient dies away through the subnormals, where operations take many times as long: a network that has learned
/// its stream would slow down by half. All forms of a step run like this. (Arm tells a subnormal before rounding, x86
/// after it, so a result that rounds up to the least normal number could differ there.)
uint64_t eddy_flush_subnormals(void);
void eddy_restore(uint64_t mode);

/// Predicts, scores and learns each sample; returns how many were done before one was rejected. `learned` counts up.
int64_t eddy_run(enum eddy_kernels, struct eddy_network *, const struct eddy_chunk *, uint64_t *learned);

/// Writes the pending update of the first layer.
void eddy_settle(enum eddy_kernels, struct eddy_network *);

/// Rows of features to be standardised by the running moments of those that are labelled.
struct eddy_standardisation {
    int64_t count;
    int32_t inputs, padded;
    const float *features;  // (count, inputs), anywhere in memory
    const float *labels;    // (count): NaN where the features change no statistics
    double *means, *squares;// (padded), 64-byte aligned: the mean and Σ (x − mean)²
    double *seen;           // labelled samples so far
    float bound;            // the largest result
    float *rows;            // (count, stride), 64-byte aligned
    int64_t stride;
};

/// Takes each labelled row into the moments, then writes each row standardised.
void eddy_standardise(enum eddy_kernels, const struct eddy_standardisation *);

/// Reads and writes every Float of a block once, for the time it takes. `count` is a multiple of 64.
void eddy_pass(enum eddy_kernels, float *block, int64_t count);

/// Squared distances from a sample to those of blocks of sixteen: Σ ((value − x) · factor)². Shapes: blocks (count, inputs,
/// 16), 64-byte aligned as are the distances (count, 16); x and factors (inputs).
void eddy_distances(
    enum eddy_kernels, const float *blocks, int64_t count, int64_t inputs, const float *x, const float *factors,
    float *distances);

/// The distances that may be among the k least of two ranges of places, in their order: those within a bound that at least k
/// do not exceed. Returns how many there are, limit + 1 where they are more than the limit. Shapes: distances 64-byte
/// aligned, whole sixteens; ranges (2, from and to); places and values (limit).
int64_t eddy_candidates(
    enum eddy_kernels kernels, const float *distances, const int64_t *ranges, int64_t k, int64_t limit,
    int32_t *places, float *values, float *bound);

/// What sixteen splits leave on their left: left[sums[row]] += amounts[row] for every row of the order whose feature lies
/// below the threshold, and left[1] += amounts[row] · values[row] where there are values. Shapes: rows (…, inputs); order
/// (count); features and thresholds (16); sums, amounts and values (rows); left (sums, 16), 64-byte aligned.
void eddy_splits(
    enum eddy_kernels kernels, const float *rows, int64_t inputs, const int32_t *order, int64_t count,
    const int32_t *features, const float *thresholds, const int32_t *sums, const float *amounts, const float *values,
    float *left);

/// exp, log1p, sigmoid and tanh of whole lanes, for comparison. Shapes: (16 · lanes).
void eddy_elementary(enum eddy_kernels, int64_t lanes, const float *x, float *exp, float *log1p, float *sigmoid, float *tanh);

#endif
