// What sixteen splits of some samples would leave on their left, in the order and the arithmetic of Kernels.splits
// (Backprop): a sample stands on the left of a split where its feature is below the threshold, so that one that is
// missing (NaN) stands on the right. Sixteen candidates are judged while a sample is at hand, each sum in the order of the
// samples.

/// One feature for each split.
EDDY_INLINE v16 gathered(const float *row, const int32_t *features) {
#if defined(__AVX512F__)
    __m512 values = _mm512_i32gather_ps(_mm512_loadu_si512(features), row, 4);
    v16 result;
    memcpy(&result, &values, sizeof result);
    return result;
#else
    v16 result;
    for (int k = 0; k < 16; k++) result[k] = row[features[k]];
    return result;
#endif
}

void EDDY_NAME(eddy_splits)(
    const float *rows, int64_t inputs, const int32_t *order, int64_t count, const int32_t *features,
    const float *thresholds, const int32_t *sums, const float *amounts, const float *values, float *left) {
    v16 limits;
    memcpy(&limits, thresholds, sizeof limits);
    v16 *totals = (v16 *)left;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = order[i];
        v16 x = gathered(rows + row * inputs, features);
        v16 part = x < limits ? (v16)(amounts[row] - (v16){}) : (v16)0.0f;
        totals[sums[row]] += part;
        if (values) totals[1] += part * values[row];
    }
}
