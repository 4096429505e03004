/* Vectors of eight floats and the elementary functions, written so that a compiler can compute many of them at once.
 *
 * No function here branches, and none needs -ffast-math: what is not a number stays so, since that is how training
 * that diverges is noticed. exp32 and tanh32 follow Cephes (Moshier); they are within 2 units in the last place.
 */
#ifndef NNKIT_NUMBERS_H
#define NNKIT_NUMBERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define WIDTH 8
typedef float vector __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
#ifdef __AVX512F__
typedef float wide __attribute__((vector_size(8 * WIDTH), aligned(4), may_alias));
#else
typedef vector wide;
#endif

static inline vector load(const float *from) { return *(const vector *)from; }
static inline void store(float *to, vector value) { *(vector *)to = value; }

/* The size of a row in memory: a whole number of vectors. What is beyond its values is 0 in weights and gradients. */
static inline int padded(int size) { return (size + WIDTH - 1) / WIDTH * WIDTH; }

static inline int32_t bits_of(float value) {
    int32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float float_of(int32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline float exp32(float x) {
    const float round = 12582912.0f; /* Adding 1.5 * 2^23 leaves no bits for a fraction. */
    float low = x < -87.3f ? -87.3f : x;
    float inside = low > 88.72f ? 88.72f : low;
    float shifted = inside * 1.44269504088896341f + round;
    float n = shifted - round;
    float r = inside - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float y = (p * r * r + r + 1.0f) * float_of((bits_of(shifted) - bits_of(round) + 126) << 23) * 2.0f;
    y = x < -87.3f ? 0.0f : y;
    return x > 88.72f ? INFINITY : y;
}

/* exp(x) - 1 for x <= 0 */
static inline float expm1_32(float x) {
    float near = x * (1 + x * (1.0f / 2 + x * (1.0f / 6 + x * (1.0f / 24 + x * (1.0f / 120 + x * (1.0f / 720))))));
    return x > -0.25f ? near : exp32(x) - 1;
}

/* log(1 + x) for x in [0, 1] */
static inline float log1p32(float x) {
    float big = x > 0.41421356f ? 1.0f : 0.0f;
    float r = big != 0 ? 0.5f * (x - 1) : x, square = r * r; /* 1 + x would lose the digits of a small x. */
    float p = 7.0376836292e-2f;
    p = p * r - 1.1514610310e-1f;
    p = p * r + 1.1676998740e-1f;
    p = p * r - 1.2420140846e-1f;
    p = p * r + 1.4249322787e-1f;
    p = p * r - 1.6668057665e-1f;
    p = p * r + 2.0000714765e-1f;
    p = p * r - 2.4999993993e-1f;
    p = p * r + 3.3333331174e-1f;
    return r - 0.5f * square + r * square * p + big * 0.69314718056f;
}

static inline float tanh32(float x) {
    float square = x * x;
    float p = -5.70498872745e-3f;
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    float far = copysignf(1 - 2 / (exp32(2 * fabsf(x)) + 1), x);
    return fabsf(x) < 0.625f ? x + x * square * p : far;
}

static inline float sigmoid32(float x) { return 1 / (1 + exp32(-x)); }

/* log(1 + exp(x)); a straight line from 20 on, as torch has it. */
static inline float softplus32(float x) { return x > 20 ? x : (x > 0 ? x : 0) + log1p32(exp32(-fabsf(x))); }

#endif
