// Distances from one sample to many, in the order and the arithmetic of NearestNeighbours (Eddy): sixteen samples stand
// side by side, and each one's sum is taken in the order of the features. What is missing (NaN), here or there, counts as equal.

EDDY_INLINE v16 difference(v16 values, float x, float factor) {
    v16 d = (values - x) * factor;
    return d == d ? d : (v16)0.0f;
}

/// Four blocks at a time, since each block's sum waits for itself.
void EDDY_NAME(eddy_distances)(
    const float *blocks, int64_t count, int64_t inputs, const float *x, const float *factors, float *distances) {
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
    }
    for (; b < count; b++) {
        const v16 *block = values + b * inputs;
        v16 sum = {};
        for (int64_t j = 0; j < inputs; j++) {
            v16 d = difference(block[j], x[j], factors[j]);
            sum += d * d;
        }
        sums[b] = sum;
    }
}

typedef _Bool b16 __attribute__((ext_vector_type(16)));

/// A bit for each lane that is not beyond a bound.
EDDY_INLINE uint32_t within(v16 distances, float bound) {
    uint16_t bits;
    b16 lanes = __builtin_convertvector(distances <= bound, b16);
    memcpy(&bits, &lanes, sizeof bits);
    return bits;
}

/// The k-th of sixteen, counted by how many stand before it.
EDDY_INLINE float ranked(v16 values, int64_t k) {
    const i16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    i16 before = {};
    for (int other = 0; other < 16; other++) {
        v16 value = (v16){} + values[other];
        before -= (value < values) | ((value == values) & (lanes > other));
    }
    for (int lane = 0; lane < 16; lane++) {
        if (before[lane] == k - 1) return values[lane];
    }
    return __builtin_inff();
}

int64_t EDDY_NAME(eddy_candidates)(
    const float *distances, const int64_t *ranges, int64_t k, int64_t limit, int32_t *places, float *values,
    float *bound) {
    const v16 *blocks = lanes_of(distances);
    v16 least = (v16){} + __builtin_inff();
    for (int r = 0; r < 2; r++) {
        for (int64_t b = (ranges[2 * r] + 15) / 16; b < ranges[2 * r + 1] / 16; b++) {
            least = blocks[b] < least ? blocks[b] : least;
        }
    }
    *bound = ranked(least, k);
    int64_t count = 0;
    for (int r = 0; r < 2; r++) {
        int64_t from = ranges[2 * r], to = ranges[2 * r + 1];
        for (int64_t b = from / 16; b * 16 < to; b++) {
            uint32_t bits = within(blocks[b], *bound);
            if (b * 16 < from) bits &= ~0u << (from - b * 16);
            if (b * 16 + 16 > to) bits &= (1u << (to - b * 16)) - 1;
            while (bits) {
                if (count == limit) return limit + 1;
                int64_t place = b * 16 + __builtin_ctz(bits);
                places[count] = (int32_t)place;
                values[count++] = distances[place];
                bits &= bits - 1;
            }
        }
    }
    return count;
}
