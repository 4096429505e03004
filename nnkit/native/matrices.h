/* Products of small matrices whose rows are padded to whole vectors.
 *
 * Each value is summed in one order, whatever row it is in and however many rows there are; so a row's result never
 * depends on the rows beside it.
 */
#include "numbers.h"

#define INLINE static inline __attribute__((always_inline))

/* y = bias + x w in the columns [c, end) that are whole vectors of a kind, for `count` rows. */
#define AFFINE_COLUMNS(vector)                                                                                         \
    for (; c + (int)(sizeof(vector) / 4) <= end; c += (int)(sizeof(vector) / 4)) {                                     \
        vector sum[8], start = bias ? *(const vector *)(bias + c) : (vector){0};                                       \
        for (int r = 0; r < count; r++) sum[r] = start;                                                                \
        for (int i = 0; i < in; i++) {                                                                                 \
            vector row = *(const vector *)(w + (int64_t)i * end + c);                                                  \
            for (int r = 0; r < count; r++) sum[r] += x[(int64_t)r * x_stride + i] * row;                              \
        }                                                                                                              \
        for (int r = 0; r < count; r++) *(vector *)(y + (int64_t)r * end + c) = sum[r];                                \
    }

/* `count` is a constant where this is inlined, so that the sums stay in registers. */
INLINE void affine_rows(const int count, const float *x, int x_stride, int in, const float *w, const float *bias,
                        float *y, int end) {
    int c = 0;
    AFFINE_COLUMNS(wide)
    AFFINE_COLUMNS(vector)
}

/* y [rows, y_stride] = bias + x [rows, x_stride] w [in, y_stride] */
static void affine(const float *x, int64_t rows, int x_stride, int in, const float *w, const float *bias, float *y,
                   int y_stride) {
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8)
        affine_rows(8, x + r * x_stride, x_stride, in, w, bias, y + r * y_stride, y_stride);
    if (rows - r >= 4) {
        affine_rows(4, x + r * x_stride, x_stride, in, w, bias, y + r * y_stride, y_stride);
        r += 4;
    }
    if (rows - r >= 2) {
        affine_rows(2, x + r * x_stride, x_stride, in, w, bias, y + r * y_stride, y_stride);
        r += 2;
    }
    if (rows > r) affine_rows(1, x + r * x_stride, x_stride, in, w, bias, y + r * y_stride, y_stride);
}

/* g (+)= x^T d in the columns [c, end) that are whole vectors of a kind, for `count` inputs. */
#define OUTER_COLUMNS(vector)                                                                                          \
    for (; c + (int)(sizeof(vector) / 4) <= end; c += (int)(sizeof(vector) / 4)) {                                     \
        vector sum[8];                                                                                                 \
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
    int i = 0;
    for (; i + 8 <= in; i += 8) outer_rows(8, x + i, x_stride, d, d_stride, rows, g + (int64_t)i * d_stride, first);
    if (in - i >= 4) {
        outer_rows(4, x + i, x_stride, d, d_stride, rows, g + (int64_t)i * d_stride, first);
        i += 4;
    }
    if (in - i >= 2) {
        outer_rows(2, x + i, x_stride, d, d_stride, rows, g + (int64_t)i * d_stride, first);
        i += 2;
    }
    if (in > i) outer_rows(1, x + i, x_stride, d, d_stride, rows, g + (int64_t)i * d_stride, first);
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
