/* Products of small matrices whose rows are padded to whole vectors.
 *
 * Each value is summed in one order, whatever row it is in and however many rows there are; so a row's result never
 * depends on the rows beside it.
 */
#include "numbers.h"

#define INLINE static inline __attribute__((always_inline))

/* So many sums are kept in registers at once; what is left of more rows goes in one piece where it is no more. */
#define BLOCK 12
#define EACH_COUNT TAKE(1) TAKE(2) TAKE(3) TAKE(4) TAKE(5) TAKE(6) TAKE(7) TAKE(8) TAKE(9) TAKE(10) TAKE(11) TAKE(12)

/* What is done to y beside the product: nothing, its own relu, or the slope of a relu whose result is `gate`. */
enum finish { PLAIN, RELU, GATE };

/* y = bias + x w in the columns [c, end) that are whole vectors of a kind, for `count` rows. */
#define AFFINE_COLUMNS(vector)                                                                                         \
    for (; c + (int)(sizeof(vector) / 4) <= end; c += (int)(sizeof(vector) / 4)) {                                     \
        vector sum[BLOCK], zero = {0}, start = bias ? *(const vector *)(bias + c) : zero;                              \
        for (int r = 0; r < count; r++) sum[r] = start;                                                                \
        for (int i = 0; i < in; i++) {                                                                                 \
            vector row = *(const vector *)(w + (int64_t)i * end + c);                                                  \
            for (int r = 0; r < count; r++) sum[r] += x[(int64_t)r * x_stride + i] * row;                              \
        }                                                                                                              \
        for (int r = 0; r < count; r++) {                                                                              \
            vector *to = (vector *)(y + (int64_t)r * end + c);                                                         \
            __typeof__(zero < zero) keep = ~(sum[r] < zero); /* What is not a number is kept. */                       \
            if (finish == GATE) keep = *(const vector *)(gate + (int64_t)r * end + c) > zero;                          \
            *to = finish == PLAIN ? sum[r] : (vector)((__typeof__(keep))sum[r] & keep);                                \
        }                                                                                                              \
    }

/* `count` and `finish` are constants where this is inlined, so that the sums stay in registers. */
INLINE void affine_rows(const int count, const enum finish finish, const float *x, int x_stride, int in, const float *w,
                        const float *bias, const float *gate, float *y, int end) {
    int c = 0;
    AFFINE_COLUMNS(wide)
    AFFINE_COLUMNS(vector)
}

INLINE void affine_as(const enum finish finish, const float *x, int64_t rows, int x_stride, int in, const float *w,
                      const float *bias, const float *gate, float *y, int y_stride) {
    for (int64_t r = 0; r < rows;) {
        int count = rows - r > BLOCK ? 8 : (int)(rows - r);
#define TAKE(n)                                                                                                        \
    case n: affine_rows(n, finish, x + r * x_stride, x_stride, in, w, bias, gate + r * y_stride, y + r * y_stride, y_stride); break;
        switch (count) { EACH_COUNT }
#undef TAKE
        r += count;
    }
}

/* y [rows, y_stride] = bias + x [rows, x_stride] w [in, y_stride]; bias may be null, and gate where it is not asked for. */
static void affine(enum finish finish, const float *x, int64_t rows, int x_stride, int in, const float *w,
                   const float *bias, const float *gate, float *y, int y_stride) {
    if (finish == RELU) affine_as(RELU, x, rows, x_stride, in, w, bias, y, y, y_stride);
    else if (finish == GATE) affine_as(GATE, x, rows, x_stride, in, w, bias, gate, y, y_stride);
    else affine_as(PLAIN, x, rows, x_stride, in, w, bias, y, y, y_stride);
}

/* g (+)= x^T d in the columns [c, end) that are whole vectors of a kind, for `count` inputs. */
#define OUTER_COLUMNS(vector)                                                                                          \
    for (; c + (int)(sizeof(vector) / 4) <= end; c += (int)(sizeof(vector) / 4)) {                                     \
        vector sum[BLOCK];                                                                                             \
        for (int i = 0; i < count; i++) sum[i] = first ? (vector){0} : *(const vector *)(g + (int64_t)i * end + c);    \
        for (int64_t r = 0; r < rows; r++) {                                                                           \
            vector row = *(const vector *)(d + r * end + c);                                                           \
            for (int i = 0; i < count; i++) sum[i] += x[r * x_stride + i] * row;                                       \
        }                                                                                                              \
        for (int i = 0; i < count; i++) *(vector *)(g + (int64_t)i * end + c) = sum[i];                                \
    }

INLINE void outer_rows(const int count, const float *x, int x_stride, const float *d, int end, int64_t rows,
                       float *g, int first) {
    int c = 0;
    OUTER_COLUMNS(wide)
    OUTER_COLUMNS(vector)
}

/* g [in, d_stride] += x [rows, x_stride]^T d [rows, d_stride]; with `first` there is nothing in g yet. */
static void add_outer(const float *x, int64_t rows, int x_stride, int in, const float *d, int d_stride, float *g,
                      int first) {
    for (int i = 0; i < in;) {
        int count = in - i > BLOCK ? 8 : in - i;
#define TAKE(n) case n: outer_rows(n, x + i, x_stride, d, d_stride, rows, g + (int64_t)i * d_stride, first); break;
        switch (count) { EACH_COUNT }
#undef TAKE
        i += count;
    }
}

/* sums [stride] += the rows of d; with `first` there is nothing in sums yet. */
static void add_rows(const float *d, int64_t rows, int stride, float *sums, int first) {
    for (int c = 0; c < stride; c += WIDTH) {
        vector sum = first ? (vector){0} : load(sums + c);
        for (int64_t r = 0; r < rows; r++) sum += load(d + r * stride + c);
        store(sums + c, sum);
    }
}

/* to [columns, to_stride] = from [rows, from_stride] transposed */
static void transpose(const float *from, int rows, int columns, int from_stride, float *to, int to_stride) {
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < rows; r++) to[(int64_t)c * to_stride + r] = from[(int64_t)r * from_stride + c];
}
