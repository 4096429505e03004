/* Training and evaluation of a network; a file for each kind of processor includes this once, with TARGET its name. */
#include <stdlib.h>

#include "losses.h"
#include "optimizers.h"
#include "passes.h"

#define JOIN(name, target) name##_##target
#define NAMED(name, target) JOIN(name, target)

#define ROUND 16

static void gather(const network_t *net, const data_t *data, int64_t begin, int64_t rows) {
    const place_t *p = net->places;
    int64_t ahead = data->order && data->rows - begin >= 2 * rows ? rows : 0; /* The rows of the part that comes next. */
    for (int64_t r = 0; r < ahead; r++) __builtin_prefetch(data->x + data->order[begin + rows + r] * p->in);
    for (int64_t r = 0; r < rows; r++) {
        int64_t row = data->order ? data->order[begin + r] : begin + r;
        const float *x = data->x + row * p->in;
        float *to = net->values[0] + r * p->in_stride;
        int i = 0; /* memcpy takes longer to begin than so few numbers take. */
        for (; i + 4 <= p->in; i += 4) memcpy(to + i, x + i, 16);
        for (; i < p->in; i++) to[i] = x[i];
    }
}

static loss_t loss_of(const program_t *program, int size) {
    const choice_t *loss = &program->loss;
    return (loss_t){(int)loss->kind, loss->option[OPTIONS - 1] != 0, size, loss->option};
}

/* part_loss for the commonest loss: all outputs of the part at once; `size` is a constant where it is 1. */
INLINE double entropy(const int size, const network_t *net, const data_t *data, int64_t begin, int64_t rows,
                      double batch, float *z) {
    int stride = net->places[net->layers - 1].out_stride;
    int64_t whole = (rows * size + ROUND - 1) / ROUND * ROUND; /* Whole vectors, so that none is done one by one. */
    float *t = z + whole, *outputs = data->outputs + begin * size;
    double sum = 0;
    for (int64_t i = whole - ROUND; i < whole; i++) z[i] = t[i] = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float *target = (const float *)data->y + data->order[begin + r] * size;
        for (int i = 0; i < size; i++) t[r * size + i] = target[i];
        for (int i = 0; i < size; i++) z[r * size + i] = outputs[r * size + i] = net->values[net->layers][r * stride + i];
    }
    binary_cross_entropy(net->program->loss.option, z, t, whole);
    for (int64_t r = 0; r < rows; r++) {
        float weight = data->weight ? data->weight[data->order[begin + r]] : 1, factor = (float)(weight / (batch * size));
        for (int i = 0; i < size; i++) {
            sum += weight * t[r * size + i];
            net->slopes[net->layers][r * stride + i] = factor * z[r * size + i];
        }
    }
    return sum / size;
}

/* Losses of a part, weighted, and their gradients divided by the batch's size; returns their sum. */
static double part_loss(const network_t *net, const data_t *data, int64_t begin, int64_t rows, double batch,
                        double *logs) {
    loss_t loss = loss_of(net->program, net->outputs);
    if (loss.kind == L_binary_cross_entropy) {
        if (net->outputs == 1) return entropy(1, net, data, begin, rows, batch, (float *)logs);
        return entropy(net->outputs, net, data, begin, rows, batch, (float *)logs);
    }
    int stride = net->places[net->layers - 1].out_stride;
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t row = data->order[begin + r];
        float weight = data->weight ? data->weight[row] : 1;
        const float *z = net->values[net->layers] + r * stride;
        float *d = net->slopes[net->layers] + r * stride;
        sum += weight * row_loss(&loss, z, data->y, row, (float)(weight / batch), d, logs);
        memcpy(data->outputs + (begin + r) * net->outputs, z, 4 * (size_t)net->outputs);
    }
    return sum;
}

/* The penalties l1 |w| + l2 w^2 of the kernels; their slopes are added to the gradients where there are any. */
static double penalty(const network_t *net) {
    double sum = 0;
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        const double *constants = net->program->constants[l].value;
        if (layer->kind != DENSE || !layer->trained || (constants[0] == 0 && constants[1] == 0)) continue;
        const place_t *p = net->places + l;
        float l1 = (float)constants[0], l2 = (float)constants[1], *w = net->weights + p->first;
        for (int64_t i = 0; i < (int64_t)p->in * p->out_stride; i++) {
            sum += l1 * fabsf(w[i]) + l2 * w[i] * w[i];
            if (net->gradients) net->gradients[p->first + i] += l1 * (float)sign(w[i]) + 2 * l2 * w[i];
        }
    }
    return sum;
}

/* Scale down each unit's weights where they are longer than max_norm. */
static void constrain(const network_t *net) {
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        double most = net->program->constants[l].value[2];
        if (layer->kind != DENSE || !layer->trained || most == 0) continue;
        const place_t *p = net->places + l;
        float *w = net->weights + p->first;
        for (int c = 0; c < p->out; c++) {
            double sum = 0;
            for (int i = 0; i < p->in; i++) sum += square(w[(int64_t)i * p->out_stride + c]);
            if (sqrt(sum) <= most) continue;
            float factor = (float)(most / sqrt(sum));
            for (int i = 0; i < p->in; i++) w[(int64_t)i * p->out_stride + c] *= factor;
        }
    }
}

/* Where trained weights lie together: [begin, end) pairs; returns how many. */
static int find_spans(const network_t *net, int64_t *spans) {
    int count = 0;
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        const place_t *p = net->places + l;
        if (!layer->trained) continue;
        const int64_t begins[2] = {p->first, p->second};
        for (int which = 0; which < 2; which++) {
            if (begins[which] < 0) continue;
            int64_t end = begins[which] + (int64_t)weight_rows(layer, which) * p->out_stride;
            if (count && spans[2 * count - 1] == begins[which]) spans[2 * count - 1] = end;
            else spans[2 * count] = begins[which], spans[2 * count + 1] = end, count++;
        }
    }
    return count;
}

static double squares(const network_t *net, int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t i = begin; i < end; i++) sum += (double)net->gradients[i] * net->gradients[i];
    return sum;
}

static double norm_of(const network_t *net, const int64_t *spans, int count) {
    double sum = 0;
    for (int s = 0; s < count; s++) sum += squares(net, spans[2 * s], spans[2 * s + 1]);
    return sqrt(sum);
}

/* The norm of the gradient in each layer. */
static void layer_norms(const network_t *net, double *norms) {
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        const place_t *p = net->places + l;
        double sum = 0;
        if (layer->trained && p->first >= 0)
            sum += squares(net, p->first, p->first + (int64_t)weight_rows(layer, 0) * p->out_stride);
        if (layer->trained && p->second >= 0) sum += squares(net, p->second, p->second + p->out_stride);
        norms[l] = sqrt(sum);
    }
}

static void clip(const network_t *net, const int64_t *spans, int count) {
    float most = (float)net->program->clip_value;
    for (int s = 0; s < count && most > 0; s++)
        for (int64_t i = spans[2 * s]; i < spans[2 * s + 1]; i++) {
            float g = net->gradients[i];
            net->gradients[i] = g > most ? most : g < -most ? -most : g;
        }
    if (net->program->clip_norm > 0) {
        double factor = net->program->clip_norm / (norm_of(net, spans, count) + 1e-6);
        if (factor >= 1) return;
        for (int s = 0; s < count; s++)
            for (int64_t i = spans[2 * s]; i < spans[2 * s + 1]; i++) net->gradients[i] *= (float)factor;
    }
}

/* One step of the optimizer on the rows from `begin` on; returns the loss. */
static float train_step(const network_t *net, const data_t *data, int64_t begin, double rate, const int64_t *spans,
                        int count, double *logs) {
    int64_t batch = data->rows - begin < data->batch ? data->rows - begin : data->batch;
    double sum = 0;
    for (int64_t done = 0; done < batch; done += data->part) {
        int64_t rows = batch - done < data->part ? batch - done : data->part;
        chance_t chance = {data->draws, data->rows, begin + done};
        gather(net, data, begin + done, rows);
        forward(net, rows, &chance);
        sum += part_loss(net, data, begin + done, rows, (double)batch, logs);
        backward(net, rows, &chance, done == 0);
    }
    double loss = sum / (double)batch + (net->penalized ? penalty(net) : 0);
    if (net->program->clip_value > 0 || net->program->clip_norm > 0) clip(net, spans, count);
    step_t step = next_step(&net->program->optimizer, net->logs, rate, net->program->clock);
    for (int s = 0; s < count; s++)
        change(&step, net->weights + spans[2 * s], net->gradients + spans[2 * s], net->slots + spans[2 * s], net->size,
               spans[2 * s + 1] - spans[2 * s]);
    if (net->bounded) constrain(net);
    return (float)loss;
}

double NAMED(train, TARGET)(const program_t *program, const data_t *data) {
    network_t net;
    if (!open_network(&net, program, data->part, 1)) return -1;
    int64_t *spans = malloc((size_t)program->layers * 4 * sizeof(int64_t));
    double *logs = malloc((size_t)(data->part * net.outputs + ROUND) * sizeof(double)), norm = -1;
    if (spans && logs) {
        int count = find_spans(&net, spans);
        for (int64_t begin = 0, step = 0; begin < data->rows; begin += data->batch, step++)
            data->losses[step] = train_step(&net, data, begin, data->rate[step], spans, count, logs);
        norm = norm_of(&net, spans, count);
        layer_norms(&net, data->norms);
        save_network(&net);
    }
    free(logs);
    free(spans);
    close_network(&net);
    return norm;
}

double NAMED(evaluate, TARGET)(const program_t *program, const data_t *data) {
    network_t net;
    if (!open_network(&net, program, data->part, 0)) return -1;
    loss_t loss = loss_of(program, net.outputs);
    double *logs = malloc((size_t)net.outputs * sizeof(double));
    float *unused = malloc((size_t)net.outputs * sizeof(float));
    int stride = net.places[net.layers - 1].out_stride;
    double result = logs && unused ? penalty(&net) : -1;
    for (int64_t begin = 0; result >= 0 && begin < data->rows; begin += data->part) {
        int64_t rows = data->rows - begin < data->part ? data->rows - begin : data->part;
        gather(&net, data, begin, rows);
        forward(&net, rows, NULL);
        for (int64_t r = 0; r < rows; r++) {
            const float *z = net.values[net.layers] + r * stride;
            memcpy(data->outputs + (begin + r) * net.outputs, z, 4 * (size_t)net.outputs);
            if (!data->y) continue;
            float weight = data->weight ? data->weight[begin + r] : 1;
            data->losses[begin + r] = weight * row_loss(&loss, z, data->y, begin + r, 1, unused, logs);
        }
    }
    free(unused);
    free(logs);
    close_network(&net);
    return result;
}

void NAMED(activate, TARGET)(int activation, const double *options, float *values, int64_t rows, int columns) {
    apply(activation, options, values, values, rows, columns, columns);
}
