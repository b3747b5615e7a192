// Sixteen lanes, and registers of whatever width; sums in a fixed order.

#define EDDY_INLINE static inline __attribute__((always_inline, unused))

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v4 __attribute__((ext_vector_type(4)));
typedef float v2 __attribute__((ext_vector_type(2)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef int32_t i8 __attribute__((ext_vector_type(8)));
typedef int32_t i4 __attribute__((ext_vector_type(4)));
typedef uint32_t u16 __attribute__((ext_vector_type(16)));
typedef uint32_t u8 __attribute__((ext_vector_type(8)));
typedef uint32_t u4 __attribute__((ext_vector_type(4)));
typedef v16 v16u __attribute__((aligned(4)));  // anywhere in memory

/// One register.
#if EDDY_WIDTH == 16
typedef v16 vn;
typedef i16 in;
#elif EDDY_WIDTH == 8
typedef v8 vn;
typedef i8 in;
#else
typedef v4 vn;
typedef i4 in;
#endif

/// What hardly ever happens: a branch that is not taken, rather than a wait for what it depends on.
#define EDDY_RARELY(condition) (__builtin_expect((condition), 0))
#define EDDY_STAYS_A_BRANCH __asm__ volatile("")

EDDY_INLINE vn *registers(float *p) { return (vn *)p; }
EDDY_INLINE const vn *registers_of(const float *p) { return (const vn *)p; }
EDDY_INLINE const v16 *lanes_of(const float *p) { return (const v16 *)p; }

// MARK: Sums across lanes, by halves: 8 + 8, 4 + 4, 2 + 2, 1 + 1.

EDDY_INLINE float across(v16 v) {
    v8 eight = v.lo + v.hi;
    v4 four = eight.lo + eight.hi;
    v2 two = four.lo + four.hi;
    return two[0] + two[1];
}

EDDY_INLINE float across_4(v4 four) {
    v2 two = four.lo + four.hi;
    return two[0] + two[1];
}

/// Of eight lanes, as if the other eight were zero.
EDDY_INLINE float across_8(v8 eight) { return across_4(eight.lo + eight.hi); }

/// Sixteen lanes in four registers: the first two halvings are then plain additions.
EDDY_INLINE float across_quarters(v4 a, v4 b, v4 c, v4 d) { return across_4((a + c) + (b + d)); }

/// The same of four vectors at once.
EDDY_INLINE v4 across4(v16 a, v16 b, v16 c, v16 d) {
    v16 ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
        + __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    v16 cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
        + __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    v16 four = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
        + __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    v8 two = __builtin_shufflevector(four, four, 0, 1, 4, 5, 8, 9, 12, 13)
        + __builtin_shufflevector(four, four, 2, 3, 6, 7, 10, 11, 14, 15);
    return __builtin_shufflevector(two, two, 0, 2, 4, 6) + __builtin_shufflevector(two, two, 1, 3, 5, 7);
}

// MARK: Products of padded vectors

/// Σ aₖ·bₖ, lane by lane: the even and the odd sixteens each in turn, then both.
EDDY_INLINE v16 sum_by_lanes(const float *a, const float *b, int32_t padded) {
    const v16 *p = lanes_of(a), *q = lanes_of(b);
    int32_t blocks = padded / 16, k = 0;
    v16 even = {}, odd = {};
    for (; k + 2 <= blocks; k += 2) {
        even += p[k] * q[k];
        odd += p[k + 1] * q[k + 1];
    }
    if (k < blocks) even += p[k] * q[k];
    return even + odd;
}

/// Σ aₖ·bₖ.
EDDY_INLINE float dot(const float *a, const float *b, int32_t padded) { return across(sum_by_lanes(a, b, padded)); }

/// Sixteen numbers from four fours.
EDDY_INLINE v16 joined(v4 a, v4 b, v4 c, v4 d) {
    v8 ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
    v8 cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

EDDY_INLINE i16 places_from(int32_t first) {
    return (i16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + first;
}

/// To where nothing is aligned or padded.
EDDY_INLINE void copy_out(float *to, const float *from, int32_t count) {
    typedef v4 v4u __attribute__((aligned(4)));
    int32_t k = 0;
    for (; k + 4 <= count; k += 4) *(v4u *)(to + k) = *(const v4 *)(from + k);
    for (; k < count; k++) to[k] = from[k];
}

// MARK: What is not zero

#if EDDY_WIDTH < 16
/// One bit for each of four masks, the first the lowest.
EDDY_INLINE uint32_t four_bits(i4 mask) {
#if defined(__x86_64__)
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    return (uint32_t)__builtin_reduce_add(mask & (i4){1, 2, 4, 8});
#endif
}
#endif

/// Whether none of `size` numbers, padded with zeros, is zero.
EDDY_INLINE bool all_live(const float *x, int32_t size, int32_t padded) {
    if (size == 0) return true;
    i16 live = places_from(padded - 16) < size ? *lanes_of(x + padded - 16) != 0 : (i16)-1;
    for (int32_t k = 0; k + 16 < padded; k += 16) live &= *lanes_of(x + k) != 0;
    return __builtin_reduce_and(live) != 0;
}

/// The places of the numbers that are not zero, in order; returns how many there are. Where that is all, `live` may
/// be left as it is: the loops then do without.
///
/// Where there is a zero, its place fills the list up to a multiple of eight (see `rounded`): work that is done there
/// changes no bit, and spares the loops over the list a remainder whose length nobody can predict.
EDDY_INLINE int32_t find_live(const float *x, int32_t size, int32_t padded, uint32_t *live) {
    if (size >= 128 && all_live(x, size, padded)) return size;
    int32_t count = 0;
    uint32_t dead = 0;
#if EDDY_WIDTH == 16
    i16 place = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int32_t k = 0; k < padded; k += 16) {
        uint32_t mask = _mm512_cmp_ps_mask(_mm512_load_ps(x + k), _mm512_setzero_ps(), _CMP_NEQ_UQ);
        if (size - k < 16) mask &= (1u << (size - k)) - 1;  // padding is no place, even where an overflow left NaN in it
        _mm512_storeu_si512(live + count, _mm512_maskz_compress_epi32((__mmask16)mask, (__m512i)place));
        uint32_t first = (uint32_t)k + (uint32_t)__builtin_ctz(~mask);
        dead = mask != 0xFFFF && first < (uint32_t)size ? first : dead;
        count += __builtin_popcount(mask);
        place += 16;
    }
#else
    // By fours: for each of the sixteen ways to be zero or not, the live places first, and the first dead one.
    static const struct { uint32_t places[4], count, dead; } ways[16] = {
        {{0, 0, 0, 0}, 0, 0}, {{0, 0, 0, 0}, 1, 1}, {{1, 0, 0, 0}, 1, 0}, {{0, 1, 0, 0}, 2, 2},
        {{2, 0, 0, 0}, 1, 0}, {{0, 2, 0, 0}, 2, 1}, {{1, 2, 0, 0}, 2, 0}, {{0, 1, 2, 0}, 3, 3},
        {{3, 0, 0, 0}, 1, 0}, {{0, 3, 0, 0}, 2, 1}, {{1, 3, 0, 0}, 2, 0}, {{0, 1, 3, 0}, 3, 2},
        {{2, 3, 0, 0}, 2, 0}, {{0, 2, 3, 0}, 3, 1}, {{1, 2, 3, 0}, 3, 0}, {{0, 1, 2, 3}, 4, 0},
    };
    typedef u4 u4u __attribute__((aligned(4)));
    for (int32_t k = 0; k < padded; k += 4) {
        v4 value = *(const v4 *)(x + k);
        uint32_t way = four_bits(value != 0);
        if (size - k < 4) way &= size > k ? (1u << (size - k)) - 1 : 0;  // padding is no place, even with NaN in it
        *(u4u *)(live + count) = *(const u4u *)ways[way].places + (uint32_t)k;
        uint32_t first = (uint32_t)k + ways[way].dead;
        dead = way != 15 && first < (uint32_t)size ? first : dead;
        count += (int32_t)ways[way].count;
    }
#endif
    for (int32_t k = 0; k < 8; k++) live[count + k] = dead;
    return count;
}

/// The length of a list of live places with its filling; there is none where all `size` are live.
EDDY_INLINE int32_t rounded(int32_t count, int32_t size) { return count < size ? (count + 7) & ~7 : count; }
