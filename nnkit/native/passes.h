/* Forward and backward through the layers, for one part of a batch. */
#include "network.h"

/* Where a part's random numbers are: the data's, and the number of its first row among the data's rows. */
typedef struct {
    const uint16_t *draws;
    int64_t rows, begin;
} chance_t;

static const uint16_t *draws_for(const chance_t *chance, const place_t *place) {
    return chance->draws + chance->rows * place->draws + chance->begin * place->out;
}

/* Dropout forward (x and y are values) or backward (x and y are gradients by the output and by the input). A value is
 * dropped where its random number, of 0 to 65535, is below the rate's share of 65536. */
static void drop(int kind, double rate, const uint16_t *draws, const float *x, float *y, int64_t rows, int size,
                 int stride, int backward) {
    int32_t threshold = (int32_t)(rate * 65536 + 0.5);
    double scale = kind == INPUT_DROPOUT ? 1 : 1 / (1 - rate), shift = 0, dropped = 0;
    if (kind == ALPHA_DROPOUT) {
        scale = 1 / sqrt((1 - rate) * (1 + rate * SELU_LIMIT * SELU_LIMIT));
        shift = -scale * SELU_LIMIT * rate, dropped = SELU_LIMIT * scale;
    }
    float factor = (float)scale, kept = backward ? 0 : (float)shift, lost = backward ? 0 : (float)(dropped + shift);
    for (int64_t r = 0; r < rows; r++)
        for (int i = 0; i < size; i++) {
            float value = x[r * stride + i];
            y[r * stride + i] = draws[r * size + i] < threshold ? value * 0 + lost : value * factor + kept;
        }
}

static void normalize(const network_t *net, int l, int64_t rows, int training) {
    const place_t *p = net->places + l;
    const double *constants = net->program->constants[l].value;
    const float *x = net->values[l];
    float *y = net->values[l + 1], keep = (float)(1 - constants[0]), *moving = net->weights + p->third;
    int by_batch = training && net->program->layer[l].trained;
    for (int c = 0; c < p->out; c++) {
        double mean = moving[c], variance = moving[p->out_stride + c];
        if (by_batch) {
            double sum = 0, squares = 0;
            for (int64_t r = 0; r < rows; r++) sum += x[r * p->out_stride + c];
            mean = sum / (double)rows;
            for (int64_t r = 0; r < rows; r++) squares += (x[r * p->out_stride + c] - mean) * (x[r * p->out_stride + c] - mean);
            variance = squares / (double)rows;
            moving[c] += keep * ((float)mean - moving[c]);
            moving[p->out_stride + c] += keep * ((float)variance - moving[p->out_stride + c]);
        }
        float middle = (float)mean, spread = p->spread[c] = (float)(1 / sqrt(variance + constants[1]));
        float gamma = p->first < 0 ? 1 : net->weights[p->first + c], beta = p->second < 0 ? 0 : net->weights[p->second + c];
        for (int64_t r = 0; r < rows; r++) {
            float value = p->normal[r * p->out_stride + c] = (x[r * p->out_stride + c] - middle) * spread;
            y[r * p->out_stride + c] = value * gamma + beta;
        }
    }
}

static void add(float *to, float value, int first) { *to = first ? value : *to + value; }

static void normalize_back(const network_t *net, int l, int64_t rows, const float *d, float *below, int first) {
    const place_t *p = net->places + l;
    int trained = net->program->layer[l].trained;
    for (int c = 0; c < p->out; c++) {
        double sum = 0, with = 0;
        for (int64_t r = 0; r < rows; r++) {
            sum += d[r * p->out_stride + c];
            with += d[r * p->out_stride + c] * p->normal[r * p->out_stride + c];
        }
        float gamma = p->first < 0 ? 1 : net->weights[p->first + c], factor = gamma * p->spread[c];
        if (trained && p->first >= 0) add(net->gradients + p->first + c, (float)with, first);
        if (trained && p->second >= 0) add(net->gradients + p->second + c, (float)sum, first);
        float mean = trained ? (float)(sum / (double)rows) : 0, mean_with = trained ? (float)(with / (double)rows) : 0;
        for (int64_t r = 0; r < rows; r++) {
            int64_t i = r * p->out_stride + c;
            below[i] = factor * (d[i] - mean - p->normal[i] * mean_with);
        }
    }
}

/* Compute values[1..] of values[0]; in evaluation (chance is null) no layer disturbs and none counts. */
static void forward(const network_t *net, int64_t rows, const chance_t *chance) {
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        const place_t *p = net->places + l;
        const double *constants = net->program->constants[l].value;
        const float *x = net->values[l];
        float *y = net->values[l + 1];
        if (layer->kind == DENSE) {
            const float *bias = p->second < 0 ? NULL : net->weights + p->second;
            int relu = l + 1 < net->layers && p[1].relu;
            affine(relu ? RELU : PLAIN, x, rows, p->in_stride, p->in, net->weights + p->first, bias, NULL,
                   relu ? net->values[l + 2] : y, p->out_stride);
            l += relu;
        } else if (layer->kind == ACTIVATION) {
            apply(layer->activation, constants, x, y, rows, p->out, p->out_stride);
        } else if (layer->kind == BATCH_NORM) {
            normalize(net, l, rows, chance != NULL);
        } else if (chance) {
            drop(layer->kind, constants[0], draws_for(chance, p), x, y, rows, p->out, p->out_stride, 0);
        } else {
            memcpy(y, x, 4 * (size_t)(rows * p->out_stride));
        }
    }
}

/* Put the gradients of all trained weights in their place, or add to those of parts before, from slopes[layers] down. */
static void backward(const network_t *net, int64_t rows, const chance_t *chance, int first) {
    for (int l = net->layers - 1; l >= net->learning; l--) {
        const layer_t *layer = net->program->layer + l;
        const place_t *p = net->places + l;
        const double *constants = net->program->constants[l].value;
        const float *x = net->values[l], *d = net->slopes[l + 1];
        float *below = net->slopes[l];
        if (layer->kind == DENSE) {
            if (layer->trained) {
                add_outer(x, rows, p->in_stride, p->in, d, p->out_stride, net->gradients + p->first, first);
                if (p->second >= 0) add_rows(d, rows, p->out_stride, net->gradients + p->second, first);
            }
            if (l == net->learning) return;
            int relu = p[-1].relu; /* Its slope is applied here, and its gradient by the values below goes there at once. */
            transpose(net->weights + p->first, p->in, p->out, p->out_stride, p->turned, p->in_stride);
            affine(relu ? GATE : PLAIN, d, rows, p->out_stride, p->out, p->turned, NULL, x,
                   relu ? net->slopes[l - 1] : below, p->in_stride);
            l -= relu;
        } else if (layer->kind == ACTIVATION) {
            apply_back(layer->activation, constants, x, net->values[l + 1], d, below, rows, p->out, p->out_stride);
        } else if (layer->kind == BATCH_NORM) {
            normalize_back(net, l, rows, d, below, first);
        } else {
            drop(layer->kind, constants[0], draws_for(chance, p), d, below, rows, p->out, p->out_stride, 1);
        }
    }
}
