// Distances from one sample to many, in the order and the arithmetic of NearestNeighbours (Eddy): sixteen samples stand
// side by side, and each one's sum is taken in the order of the features. The least of each block is told beside, so that
// whoever looks for the nearest passes most blocks by. What is missing (NaN), here or there, counts as equal.

EDDY_INLINE v16 difference(v16 values, float x, float factor) {
    v16 d = (values - x) * factor;
    return d == d ? d : (v16)0.0f;
}

/// Four blocks at a time, since each block's sum waits for itself.
void EDDY_NAME(eddy_distances)(
    const float *blocks, int64_t count, int64_t inputs, const float *x, const float *factors, float *distances,
    float *least) {
    const v16 *values = lanes_of(blocks);
    v16 *sums = (v16 *)distances;
    int64_t b = 0;
    for (; b + 4 <= count; b += 4) {
        const v16 *block = values + b * inputs;
        v16 one = {}, two = {}, three = {}, four = {};
        for (int64_t j = 0; j < inputs; j++) {
            v16 d1 = difference(block[j], x[j], factors[j]), d2 = difference(block[inputs + j], x[j], factors[j]);
            v16 d3 = difference(block[2 * inputs + j], x[j], factors[j]);
            v16 d4 = difference(block[3 * inputs + j], x[j], factors[j]);
            one += d1 * d1;
            two += d2 * d2;
            three += d3 * d3;
            four += d4 * d4;
        }
        sums[b] = one;
        sums[b + 1] = two;
        sums[b + 2] = three;
        sums[b + 3] = four;
        least[b] = __builtin_reduce_min(one);
        least[b + 1] = __builtin_reduce_min(two);
        least[b + 2] = __builtin_reduce_min(three);
        least[b + 3] = __builtin_reduce_min(four);
    }
    for (; b < count; b++) {
        const v16 *block = values + b * inputs;
        v16 sum = {};
        for (int64_t j = 0; j < inputs; j++) {
            v16 d = difference(block[j], x[j], factors[j]);
            sum += d * d;
        }
        sums[b] = sum;
        least[b] = __builtin_reduce_min(sum);
    }
}
