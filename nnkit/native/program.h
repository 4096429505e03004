/* What Python hands over: a network as a list of layers, a loss, an optimizer, and arrays. */
#ifndef NNKIT_PROGRAM_H
#define NNKIT_PROGRAM_H

#include <stdint.h>

enum layer { DENSE, ACTIVATION, DROPOUT, INPUT_DROPOUT, ALPHA_DROPOUT, BATCH_NORM, LAYERS };

/* The names are those of the spec; Python finds the numbers by them. */
#define ACTIVATION_NAMES                                                                                               \
    X(linear) X(relu) X(relu6) X(leaky_relu) X(elu) X(selu) X(celu) X(gelu) X(silu) X(mish) X(sigmoid) X(log_sigmoid)  \
    X(hard_sigmoid) X(hard_silu) X(tanh) X(hard_tanh) X(tanh_shrink) X(hard_shrink) X(soft_shrink) X(threshold)        \
    X(softplus) X(softsign) X(exponential) X(squareplus) X(softmax) X(log_softmax) X(plain_relu)
#define LOSS_NAMES                                                                                                     \
    X(binary_cross_entropy) X(binary_focal) X(categorical_cross_entropy) X(categorical_focal) X(hinge)                 \
    X(squared_hinge) X(categorical_hinge) X(mean_squared_error) X(mean_absolute_error)                                 \
    X(mean_absolute_percentage_error) X(mean_squared_logarithmic_error) X(huber) X(log_cosh) X(quantile) X(poisson)    \
    X(kl_divergence) X(cosine_similarity)
#define OPTIMIZER_NAMES X(sgd) X(adam) X(adamw) X(adamax) X(nadam) X(rmsprop) X(adagrad) X(adadelta)

#define X(name) A_##name,
enum activation { ACTIVATION_NAMES ACTIVATIONS };
#undef X
#define X(name) L_##name,
enum loss { LOSS_NAMES LOSSES };
#undef X
#define X(name) O_##name,
enum optimizer { OPTIMIZER_NAMES OPTIMIZERS };
#undef X

/* A layer of `in` values to `out`; `first` and `second` are where its weights begin among all weights, or -1.
 * dense: first kernel [in, out], second bias. batch_norm: first gamma, second beta, third mean, then variance. */
typedef struct {
    int32_t kind, activation, in, out, trained, first, second, third;
} layer_t;

#define CONSTANTS 4
/* dense: l1, l2, max_norm. activation: its options. dropout: rate. batch_norm: momentum, epsilon. */
typedef struct {
    double value[CONSTANTS];
} constants_t;

#define OPTIONS 12
/* Which one, then its options in the order of losses.h or optimizers.h. */
typedef struct {
    double kind, option[OPTIONS];
} choice_t;

typedef struct {
    int layers, weights, slots;
    const layer_t *layer;
    const constants_t *constants;
    choice_t loss, optimizer;
    double clip_value, clip_norm; /* 0 where gradients are not clipped */
    float *weight;                /* [weights] */
    float *slot;                  /* [slots, weights]: the optimizer's running values */
    double *clock;                /* steps done, and nadam's product of momenta */
} program_t;

typedef struct {
    int64_t rows;          /* rows that are used, in the order of `order`, or of x where that is null */
    int64_t batch, part;   /* rows of a step, and rows that go through the network at once */
    const float *x;        /* [n, inputs] */
    const void *y;         /* float [n, outputs], or int64 [n] where targets are classes */
    const float *weight;   /* [n] or null */
    const int64_t *order;  /* [rows] or null */
    const uint16_t *draws; /* for each layer that draws, in order, [rows, units]; or null */
    const double *rate;    /* the learning rate of each step */
    float *losses;         /* training: a loss for each step; evaluation: one for each row, or null */
    float *outputs;        /* [rows, outputs] */
    double *norms;         /* training: the norm of the last gradient in each layer, 0 where nothing is trained */
} data_t;

/* Whether the targets of a loss are classes and not numbers. */
static inline int by_class(int loss) {
    return loss == L_categorical_cross_entropy || loss == L_categorical_focal || loss == L_categorical_hinge;
}

static inline int draws_of(int layer) {
    return layer == DROPOUT || layer == INPUT_DROPOUT || layer == ALPHA_DROPOUT;
}

/* How many running values an optimizer has for each weight, in the order of torch's state. */
static inline int slots_of(const choice_t *optimizer) {
    const double *o = optimizer->option;
    switch ((int)optimizer->kind) {
    case O_sgd: return o[1] > 0;                         /* momentum_buffer */
    case O_adam:
    case O_adamw: return o[5] != 0 ? 3 : 2;              /* exp_avg, exp_avg_sq, max_exp_avg_sq */
    case O_rmsprop: return 1 + (o[4] > 0) + (o[5] != 0); /* square_avg, momentum_buffer, grad_avg */
    case O_adagrad: return 1;                            /* sum */
    default: return 2;                                   /* exp_avg, exp_inf or exp_avg_sq; square_avg, acc_delta */
    }
}

/* Train on the rows; returns the norm of the last gradient, or -1 where memory was short. */
typedef double train_t(const program_t *, const data_t *);
/* Compute outputs, and losses where there are targets; returns -1 where memory was short. */
typedef double evaluate_t(const program_t *, const data_t *);
/* Apply an activation to [rows, columns] in place. */
typedef void activate_t(int activation, const double *options, float *values, int64_t rows, int columns);

#define DECLARE(target)                                                                                                \
    train_t train_##target;                                                                                            \
    evaluate_t evaluate_##target;                                                                                      \
    activate_t activate_##target;
DECLARE(base)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

#endif
