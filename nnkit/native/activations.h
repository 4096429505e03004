/* Activations and their slopes; the formulas are torch's, at the bends too. `o` holds the options. */
#include "numbers.h"
#include "program.h"

#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f

/* x is before the activation, y behind it. CASE(name, value of y by x, slope dy/dx by x and y). */
#define ELEMENTWISE                                                                                                    \
    CASE(linear, x, 1)                                                                                                 \
    CASE(relu, x >= o[2] ? (x > o[1] ? o[1] : x) : o[0] * (x - o[2]), x >= o[2] ? (x <= o[1] ? 1 : 0) : o[0])          \
    CASE(plain_relu, x < 0 ? 0 : x, y > 0 ? 1 : 0)                                                                     \
    CASE(relu6, x < 0 ? 0 : x > 6 ? 6 : x, (x > 0) & (x < 6) ? 1 : 0)                                                  \
    CASE(leaky_relu, x > 0 ? x : x * o[0], x > 0 ? 1 : o[0])                                                           \
    CASE(elu, x > 0 ? x : o[0] * expm1_32(x), x > 0 ? 1 : y + o[0])                                                    \
    CASE(selu, SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1_32(x)), x > 0 ? SELU_SCALE : y + SELU_SCALE * SELU_ALPHA)  \
    CASE(celu, x > 0 ? x : o[0] * expm1_32(x / o[0]), x > 0 ? 1 : exp32(x / o[0]))                                     \
    CASE(gelu, o[0] != 0 ? gelu_tanh(x) : gelu_erf(x), o[0] != 0 ? gelu_tanh_slope(x) : gelu_erf_slope(x))             \
    CASE(silu, x * sigmoid32(x), silu_slope(x))                                                                        \
    CASE(mish, x * tanh32(softplus32(x)), mish_slope(x))                                                               \
    CASE(sigmoid, sigmoid32(x), y * (1 - y))                                                                           \
    CASE(log_sigmoid, (x < 0 ? x : 0) - log1p32(exp32(-fabsf(x))), sigmoid32(-x))                                       \
    CASE(hard_sigmoid, x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 0.5f, (x > -3) & (x < 3) ? 1.0f / 6 : 0)                     \
    CASE(hard_silu, x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6, x < -3 ? 0 : x <= 3 ? x / 3 + 0.5f : 1)                \
    CASE(tanh, tanh32(x), 1 - y * y)                                                                                   \
    CASE(hard_tanh, x < -1 ? -1 : x > 1 ? 1 : x, (x > -1) & (x < 1) ? 1 : 0)                                           \
    CASE(tanh_shrink, x - tanh32(x), (x - y) * (x - y))                                                                \
    CASE(hard_shrink, (x >= -o[0]) & (x <= o[0]) ? 0 : x, (x >= -o[0]) & (x <= o[0]) ? 0 : 1)                          \
    CASE(soft_shrink, x > o[0] ? x - o[0] : x < -o[0] ? x + o[0] : x * 0, (x >= -o[0]) & (x <= o[0]) ? 0 : 1)          \
    CASE(threshold, x <= o[0] ? o[1] : x, x <= o[0] ? 0 : 1)                                                           \
    CASE(softplus, softplus32(x), x > 20 ? 1 : sigmoid32(x))                                                           \
    CASE(softsign, x / (1 + fabsf(x)), 1 / ((1 + fabsf(x)) * (1 + fabsf(x))))                                          \
    CASE(exponential, exp32(x), y)                                                                                     \
    CASE(squareplus, (x + sqrtf(x * x + o[0])) / 2, (1 + x / sqrtf(x * x + o[0])) / 2)

static inline float gelu_erf(float x) { return 0.5f * x * (1 + erff(x * 0.70710678118654752f)); }
static inline float gelu_erf_slope(float x) {
    return 0.5f * (1 + erff(x * 0.70710678118654752f)) + x * 0.39894228040143268f * exp32(-0.5f * x * x);
}
static inline float gelu_tanh(float x) {
    return 0.5f * x * (1 + tanh32(0.79788456080286536f * (x + 0.044715f * x * x * x)));
}
static inline float gelu_tanh_slope(float x) {
    float t = tanh32(0.79788456080286536f * (x + 0.044715f * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456080286536f * (1 + 3 * 0.044715f * x * x);
}
static inline float silu_slope(float x) {
    float s = sigmoid32(x);
    return s * (1 + x * (1 - s));
}
static inline float mish_slope(float x) {
    float t = tanh32(softplus32(x));
    return t + x * sigmoid32(x) * (1 - t * t);
}

static void softmax_row(int logarithm, const float *from, float *to, int size) {
    float most = -INFINITY, sum = 0;
    for (int i = 0; i < size; i++) most = from[i] > most ? from[i] : most;
    for (int i = 0; i < size; i++) sum += exp32(from[i] - most);
    float log_sum = logf(sum);
    for (int i = 0; i < size; i++) to[i] = logarithm ? from[i] - most - log_sum : exp32(from[i] - most) / sum;
}

/* Turn the gradient by a softmax's outputs y, in place, into the one by its inputs. */
static void softmax_row_back(int logarithm, const float *y, float *gradient, int size) {
    float sum = 0;
    for (int i = 0; i < size; i++) sum += logarithm ? gradient[i] : gradient[i] * y[i];
    for (int i = 0; i < size; i++)
        gradient[i] = logarithm ? gradient[i] - exp32(y[i]) * sum : y[i] * (gradient[i] - sum);
}

static void floats(const double *options, float *o) {
    for (int i = 0; i < CONSTANTS; i++) o[i] = (float)options[i];
}

/* relu without options, the commonest of all, is shorter, and its slope at 0 is 0 and not 1, as in torch. */
static int resolved(int kind, const float *o) {
    return kind == A_relu && o[0] == 0 && o[1] == INFINITY && o[2] == 0 ? A_plain_relu : kind;
}

/* Compute y of x, both [rows, stride] with `size` values in a row; they may be the same array. */
static void apply(int kind, const double *options, const float *from, float *to, int64_t rows, int size, int stride) {
    float o[CONSTANTS];
    floats(options, o);
    if (kind == A_softmax || kind == A_log_softmax) {
        for (int64_t r = 0; r < rows; r++)
            softmax_row(kind == A_log_softmax, from + r * stride, to + r * stride, size);
        return;
    }
    int64_t count = rows * stride;
    switch (resolved(kind, o)) {
#define CASE(name, value, slope)                                                                                       \
    case A_##name:                                                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            float x = from[i];                                                                                         \
            to[i] = value;                                                                                             \
        }                                                                                                              \
        break;
        ELEMENTWISE
#undef CASE
    }
}

/* Compute the gradient by x of the gradient d by y; what is beyond a row's values stays 0. */
static void apply_back(int kind, const double *options, const float *restrict from, const float *restrict to,
                       const float *restrict d, float *restrict below, int64_t rows, int size, int stride) {
    float o[CONSTANTS];
    floats(options, o);
    int64_t count = rows * stride;
    if (kind == A_softmax || kind == A_log_softmax) {
        memcpy(below, d, 4 * (size_t)count);
        for (int64_t r = 0; r < rows; r++)
            softmax_row_back(kind == A_log_softmax, to + r * stride, below + r * stride, size);
        return;
    }
    switch (kind = resolved(kind, o)) {
#define CASE(name, value, slope)                                                                                       \
    case A_##name:                                                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            float x = from[i], y = to[i];                                                                              \
            (void)x, (void)y;                                                                                          \
            below[i] = d[i] * (slope);                                                                                 \
        }                                                                                                              \
        break;
        ELEMENTWISE
#undef CASE
    }
    if (stride > size && kind != A_plain_relu && kind != A_linear)
        for (int64_t r = 0; r < rows; r++) memset(below + r * stride + size, 0, 4 * (size_t)(stride - size));
}
