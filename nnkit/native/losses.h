/* Losses: a value for each row, and the gradient by the outputs. The formulas are those of nnkit/losses, where the
 * references are; classes are int64, all else float. Scalar and in double: there are few outputs in a row. */
#include "numbers.h"
#include "program.h"

#define TINY 1e-7 /* Keras' epsilon */

typedef struct {
    int kind, fused, size;
    const double *o;
} loss_t;

static inline double square(double x) { return x * x; }
static inline double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static inline double logistic(double x) { return 1 / (1 + exp(-x)); }
static inline double softplus(double x) { return x > 20 ? x : fmax(x, 0) + log1p(exp(-fabs(x))); }
/* fmax would turn what is not a number into a number. */
static inline double at_least(double bound, double x) { return x < bound ? bound : x; }

/* The loss of one output z with its target t; its slope goes to *d. */
static double element(const loss_t *loss, double z, double t, double *d) {
    const double *o = loss->o;
    double e = z - t, side = 2 * t - 1;
    switch (loss->kind) {
    case L_binary_focal: { /* gamma, alpha or -1, label_smoothing */
        t = t * (1 - o[2]) + o[2] / 2;
        double s = logistic(z), entropy = (1 - t) * z + softplus(-z);
        double missed = t * (1 - s) + (1 - t) * s, floor = at_least(1e-30, missed);
        double balance = o[1] < 0 ? 1 : t * o[1] + (1 - t) * (1 - o[1]), power = pow(floor, o[0]);
        double bend = missed < 1e-30 ? 0 : o[0] * power / floor * (1 - 2 * t) * s * (1 - s);
        *d = balance * ((s - t) * power + entropy * bend);
        return balance * entropy * power;
    }
    case L_hinge:
        *d = 1 - side * z >= 0 ? -side : 0;
        return at_least(0, 1 - side * z);
    case L_squared_hinge:
        *d = -2 * side * at_least(0, 1 - side * z);
        return square(at_least(0, 1 - side * z));
    case L_mean_squared_error:
        *d = 2 * e;
        return e * e;
    case L_mean_absolute_error:
        *d = sign(e);
        return fabs(e);
    case L_mean_absolute_percentage_error:
        *d = 100 * sign(e) / at_least(TINY, fabs(t));
        return 100 * fabs(e) / at_least(TINY, fabs(t));
    case L_mean_squared_logarithmic_error: {
        double difference = log1p(at_least(TINY, z)) - log1p(at_least(TINY, t));
        *d = z < TINY ? 0 : 2 * difference / (1 + z);
        return square(difference);
    }
    case L_huber: /* delta */
        *d = fabs(e) <= o[0] ? e : o[0] * sign(e);
        return fabs(e) <= o[0] ? 0.5 * e * e : o[0] * (fabs(e) - 0.5 * o[0]);
    case L_log_cosh:
        *d = tanh(e);
        return e + softplus(-2 * e) - 0.69314718055994531;
    case L_quantile: /* quantile */
        *d = -o[0] + (e >= 0 ? 1 : 0);
        return -o[0] * e + at_least(0, e);
    case L_poisson:
        *d = loss->fused ? exp(z) - t : 1 - t / (z + TINY);
        return loss->fused ? exp(z) - t * z : z - t * log(z + TINY);
    }
    return 0;
}

/* The logarithms of the softmax of z. */
static void log_softmax(const float *z, double *logs, int size) {
    double most = z[0], sum = 0;
    for (int i = 1; i < size; i++) most = z[i] > most ? z[i] : most;
    for (int i = 0; i < size; i++) sum += exp(z[i] - most);
    for (int i = 0; i < size; i++) logs[i] = z[i] - most - log(sum);
}

static double categorical_cross_entropy(const loss_t *loss, const float *z, int64_t y, float *d, double *logs) {
    int size = loss->size;
    double smoothing = loss->o[0], spread = smoothing / size, value = 0;
    log_softmax(z, logs, size);
    for (int i = 0; i < size; i++) {
        double target = spread + (i == y ? 1 - smoothing : 0);
        value -= target == 0 ? 0 : target * logs[i];
        d[i] = (float)(exp(logs[i]) - target);
    }
    return value;
}

static double categorical_focal(const loss_t *loss, const float *z, int64_t y, float *d, double *logs) {
    int size = loss->size; /* options: gamma, alpha, label_smoothing */
    double gamma = loss->o[0], alpha = loss->o[1], smoothing = loss->o[2], value = 0, sum = 0;
    log_softmax(z, logs, size);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < size; i++) {
            double p = exp(logs[i]), missed = at_least(1e-30, 1 - p), power = pow(missed, gamma);
            double target = smoothing / size + (i == y ? 1 - smoothing : 0);
            double bend = 1 - p < 1e-30 ? 0 : gamma * power / missed * p * logs[i];
            double slope = -alpha * target * (power - bend);
            if (pass) d[i] = (float)(slope - p * sum);
            else value -= alpha * target * power * logs[i], sum += slope;
        }
    return value;
}

static double categorical_hinge(const loss_t *loss, const float *z, int64_t y, float *d) {
    double best = 0, ties = 0; /* 0 stands in the place of the true class. */
    for (int i = 0; i < loss->size; i++) best = i != y && (z[i] > best || z[i] != z[i]) ? z[i] : best;
    for (int i = 0; i < loss->size; i++) ties += (i == y ? 0 : z[i]) == best;
    double missing = best - z[y] + 1;
    for (int i = 0; i < loss->size; i++)
        d[i] = missing < 0 ? 0 : i == y ? -1 : z[i] == best ? (float)(1 / ties) : 0;
    return at_least(0, missing);
}

static double kl_divergence(const loss_t *loss, const float *z, const float *t, float *d, double *logs) {
    double value = 0, sum = 0;
    log_softmax(z, logs, loss->size);
    for (int i = 0; i < loss->size; i++) sum += t[i];
    for (int i = 0; i < loss->size; i++) {
        value += (t[i] > 0 ? t[i] * log(t[i]) : 0) - t[i] * logs[i];
        d[i] = (float)(exp(logs[i]) * sum - t[i]);
    }
    return value;
}

static double cosine_similarity(const loss_t *loss, const float *z, const float *t, float *d) {
    double product = 0, zz = 0, tt = 0;
    for (int i = 0; i < loss->size; i++) product += (double)z[i] * t[i], zz += square(z[i]), tt += square(t[i]);
    double length = at_least(1e-8, sqrt(zz)), other = at_least(1e-8, sqrt(tt)), cosine = product / (length * other);
    for (int i = 0; i < loss->size; i++)
        d[i] = (float)-(t[i] / (length * other) - (zz > 1e-16 ? cosine * z[i] / (length * length) : 0));
    return 1 - cosine;
}

/* The commonest loss, of many outputs at once, in float: z becomes the slope, t the loss. Options: pos_weight,
 * label_smoothing. */
static void binary_cross_entropy(const double *o, float *restrict z, float *restrict t, int64_t count) {
    float more = (float)o[0] - 1, keep = (float)(1 - o[1]), half = (float)(o[1] / 2);
    for (int64_t i = 0; i < count; i++) {
        float target = t[i] * keep + half, weight = 1 + more * target, far = exp32(-fabsf(z[i]));
        float other = (z[i] > 0 ? far : 1) / (1 + far); /* the sigmoid of -z */
        t[i] = (1 - target) * z[i] + weight * (log1p32(far) + (z[i] < 0 ? -z[i] : 0));
        z[i] = (1 - target) - weight * other;
    }
}

/* The loss of a row: `factor` times its slope goes to d. `logs` has room for a row. */
static float row_loss(const loss_t *loss, const float *z, const void *y, int64_t row, float factor, float *d,
                      double *logs) {
    int size = loss->size;
    const float *t = (const float *)y + row * size;
    double value = 0, share = 1, slope = 0;
    switch (loss->kind) {
    case L_categorical_cross_entropy:
        value = categorical_cross_entropy(loss, z, ((const int64_t *)y)[row], d, logs);
        break;
    case L_categorical_focal: value = categorical_focal(loss, z, ((const int64_t *)y)[row], d, logs); break;
    case L_categorical_hinge: value = categorical_hinge(loss, z, ((const int64_t *)y)[row], d); break;
    case L_kl_divergence: value = kl_divergence(loss, z, t, d, logs); break;
    case L_cosine_similarity: value = cosine_similarity(loss, z, t, d); break;
    case L_binary_cross_entropy:
        for (int i = 0; i < size; i++) {
            float one = t[i];
            d[i] = z[i];
            binary_cross_entropy(loss->o, d + i, &one, 1);
            value += one;
        }
        share = 1.0 / size;
        break;
    default:
        for (int i = 0; i < size; i++) {
            value += element(loss, z[i], t[i], &slope);
            d[i] = (float)slope;
        }
        share = 1.0 / size;
    }
    for (int i = 0; i < size; i++) d[i] *= (float)(factor * share);
    return (float)(value * share);
}
