/* Optimizers by torch's formulas: each changes a span of weights by its gradients. The slots are torch's state. */
#include "numbers.h"
#include "program.h"

/* What one step needs beside the arrays, worked out once in double. */
typedef struct {
    int kind, first; /* first: whether this is the first step */
    double lr, step, momentum_now, momentum_next, product;
    const double *o, *logs; /* the options, and the logarithms of the two betas */
} step_t;

/* base ^ exponent for the logarithm of a base from 0 to 1, quicker than pow, which is right to the last bit. */
static inline double power(double log_base, double exponent) {
    double logarithm = exponent == 0 ? 0 : exponent * log_base;
    return logarithm < -40 ? 0 : exp(logarithm); /* 1 less something that small is 1. */
}

static inline float lerp(float from, float to, float part) { return from + part * (to - from); }

/* sgd: weight_decay, momentum, nesterov */
static void sgd(const step_t *s, float *w, float *g, float *b, int64_t n) {
    float lr = (float)s->lr, decay = (float)s->o[0], momentum = (float)s->o[1];
    int nesterov = s->o[2] != 0;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        if (momentum > 0) {
            b[i] = s->first ? d : momentum * b[i] + d;
            d = nesterov ? d + momentum * b[i] : b[i];
        }
        w[i] -= lr * d;
    }
}

/* adam, adamw: weight_decay, beta1, beta2, eps, decoupled, amsgrad */
static void adam(const step_t *s, float *w, float *g, float *m, float *v, float *most, int64_t n) {
    const double *o = s->o;
    float coupled = o[4] != 0 ? 0 : (float)o[0], shrink = o[4] != 0 ? (float)(1 - s->lr * o[0]) : 1;
    float b1 = (float)(1 - o[1]), b2 = (float)o[2], rest2 = (float)(1 - o[2]), eps = (float)o[3];
    float size = (float)(s->lr / (1 - power(s->logs[0], s->step))), root = (float)(1 / sqrt(1 - power(s->logs[1], s->step)));
    int amsgrad = o[5] != 0;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + coupled * w[i];
        m[i] = lerp(m[i], d, b1);
        v[i] = v[i] * b2 + rest2 * d * d;
        float mean = v[i];
        if (amsgrad) mean = most[i] = most[i] > v[i] ? most[i] : v[i];
        w[i] = w[i] * shrink - size * m[i] / (sqrtf(mean) * root + eps);
    }
}

/* adamax: weight_decay, beta1, beta2, eps */
static void adamax(const step_t *s, float *w, float *g, float *m, float *u, int64_t n) {
    const double *o = s->o;
    float decay = (float)o[0], b1 = (float)(1 - o[1]), b2 = (float)o[2], eps = (float)o[3];
    float size = (float)(s->lr / (1 - power(s->logs[0], s->step)));
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        m[i] = lerp(m[i], d, b1);
        float old = u[i] * b2, now = fabsf(d) + eps;
        u[i] = now < old ? old : now;
        w[i] -= size * m[i] / u[i];
    }
}

/* nadam: weight_decay, beta1, beta2, eps, momentum_decay */
static void nadam(const step_t *s, float *w, float *g, float *m, float *v, int64_t n) {
    const double *o = s->o;
    float decay = (float)o[0], b1 = (float)(1 - o[1]), b2 = (float)o[2], rest2 = (float)(1 - o[2]), eps = (float)o[3];
    float correction = (float)(1 - power(s->logs[1], s->step));
    float by_gradient = (float)(s->lr * (1 - s->momentum_now) / (1 - s->product));
    float by_mean = (float)(s->lr * s->momentum_next / (1 - s->product * s->momentum_next));
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        m[i] = lerp(m[i], d, b1);
        v[i] = v[i] * b2 + rest2 * d * d;
        float size = sqrtf(v[i] / correction) + eps;
        w[i] -= by_gradient * d / size + by_mean * m[i] / size;
    }
}

/* rmsprop: weight_decay, alpha, unused, eps, momentum, centered */
static void rmsprop(const step_t *s, float *w, float *g, float *v, float *b, float *mean, int64_t n) {
    const double *o = s->o;
    float lr = (float)s->lr, decay = (float)o[0], alpha = (float)o[1], rest = (float)(1 - o[1]), eps = (float)o[3];
    float momentum = (float)o[4];
    int centered = o[5] != 0;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i], square = v[i] = v[i] * alpha + rest * d * d;
        if (centered) {
            mean[i] = lerp(mean[i], d, rest);
            square -= mean[i] * mean[i];
        }
        d /= sqrtf(square) + eps;
        if (momentum > 0) d = b[i] = momentum * b[i] + d;
        w[i] -= lr * d;
    }
}

/* adagrad: weight_decay, lr_decay, unused, eps */
static void adagrad(const step_t *s, float *w, float *g, float *sum, int64_t n) {
    float lr = (float)(s->lr / (1 + (s->step - 1) * s->o[1])), decay = (float)s->o[0], eps = (float)s->o[3];
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        sum[i] += d * d;
        w[i] -= lr * d / (sqrtf(sum[i]) + eps);
    }
}

/* adadelta: weight_decay, rho, unused, eps */
static void adadelta(const step_t *s, float *w, float *g, float *v, float *moved, int64_t n) {
    float lr = (float)s->lr, decay = (float)s->o[0], rho = (float)s->o[1], rest = (float)(1 - s->o[1]);
    float eps = (float)s->o[3];
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] + decay * w[i];
        v[i] = v[i] * rho + rest * d * d;
        d *= sqrtf(moved[i] + eps) / sqrtf(v[i] + eps);
        moved[i] = moved[i] * rho + rest * d * d;
        w[i] -= lr * d;
    }
}

/* Take note of a step, and work out what it needs; `clock` is the program's. */
static step_t next_step(const choice_t *optimizer, const double *logs, double lr, double *clock) {
    const double *o = optimizer->option;
    step_t s = {.kind = (int)optimizer->kind, .first = clock[0] == 0, .lr = lr, .step = ++clock[0], .o = o, .logs = logs};
    if (s.kind == O_nadam) {
        s.momentum_now = o[1] * (1 - 0.5 * power(log(0.96), s.step * o[4]));
        s.momentum_next = o[1] * (1 - 0.5 * power(log(0.96), (s.step + 1) * o[4]));
        s.product = clock[1] *= s.momentum_now;
    }
    return s;
}

/* Change weights w [n] by gradients g; the slots begin `apart` floats from each other. */
static void change(const step_t *s, float *w, float *g, float *slots, int64_t apart, int64_t n) {
    float *a = slots, *b = slots + apart, *c = slots + 2 * apart;
    switch (s->kind) {
    case O_sgd: sgd(s, w, g, a, n); break;
    case O_adam: case O_adamw: adam(s, w, g, a, b, c, n); break;
    case O_adamax: adamax(s, w, g, a, b, n); break;
    case O_nadam: nadam(s, w, g, a, b, n); break;
    case O_rmsprop: rmsprop(s, w, g, a, b, s->o[4] > 0 ? c : b, n); break;
    case O_adagrad: adagrad(s, w, g, a, n); break;
    case O_adadelta: adadelta(s, w, g, a, b, n); break;
    }
}
