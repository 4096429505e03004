/* A network in memory: its weights with padded rows, and room for values and gradients of a part of a batch. */
#include "activations.h"
#include "matrices.h"

#define SELU_LIMIT -1.7580993408473766 /* what selu tends to far below 0 */

typedef struct {
    int in, out, in_stride, out_stride; /* strides are padded sizes */
    int64_t first, second, third;       /* where the weights begin, rows padded; -1 where there are none */
    int64_t draws;                      /* where the layer's random numbers begin, in units of rows; -1: none */
    float *normal, *spread;             /* batch norm: normalized values [rows, out_stride], 1 / deviation */
    float *turned;                      /* dense: the kernel transposed [out, in_stride] */
    int relu;                           /* activation: a relu without options, which the layer below computes */
} place_t;

typedef struct {
    const program_t *program;
    int layers, outputs;
    int64_t size, rows;     /* floats of all weights with padded rows; rows there is room for */
    float *weights, *gradients, *slots;
    float **values;         /* values[l] is what layer l reads, [rows, in_stride] */
    float **slopes;         /* gradients by the same */
    place_t *places;
    double logs[2];         /* of the optimizer's betas */
    int penalized, bounded; /* whether any layer has l1 or l2, or max_norm */
    int learning;           /* the first layer that any trained weight is in; gradients go no further down */
    float *memory;
    void *tables;
} network_t;

static int weight_rows(const layer_t *layer, int which) {
    return layer->kind == DENSE && which == 0 ? layer->in : 1;
}

/* Call `act` for each array of weights: its place in the program, its place here, its rows. */
#define EACH_WEIGHT(net, body)                                                                                         \
    for (int l = 0; l < (net)->layers; l++) {                                                                          \
        const layer_t *layer = (net)->program->layer + l;                                                              \
        const place_t *place = (net)->places + l;                                                                      \
        const int32_t flat[4] = {layer->first, layer->second, layer->third, layer->third < 0 ? -1 : layer->third + layer->out}; \
        const int64_t here[4] = {place->first, place->second, place->third, place->third < 0 ? -1 : place->third + place->out_stride}; \
        for (int which = 0; which < 4; which++) {                                                                      \
            if (flat[which] < 0) continue;                                                                             \
            int rows = weight_rows(layer, which), width = layer->out, stride = place->out_stride;                      \
            body                                                                                                       \
        }                                                                                                              \
    }

static void copy_in(const network_t *net, const float *from, float *to) {
    EACH_WEIGHT(net, {
        for (int r = 0; r < rows; r++)
            memcpy(to + here[which] + (int64_t)r * stride, from + flat[which] + (int64_t)r * width, 4 * (size_t)width);
    })
}

static void copy_out(const network_t *net, const float *from, float *to) {
    EACH_WEIGHT(net, {
        for (int r = 0; r < rows; r++)
            memcpy(to + flat[which] + (int64_t)r * width, from + here[which] + (int64_t)r * stride, 4 * (size_t)width);
    })
}

static int plain_relu(const program_t *program, int l) {
    float o[CONSTANTS];
    floats(program->constants[l].value, o);
    return program->layer[l].kind == ACTIVATION && resolved(program->layer[l].activation, o) == A_plain_relu;
}

static void lay_out(network_t *net) {
    int64_t size = 0, drawn = 0;
    net->learning = net->layers;
    for (int l = 0; l < net->layers; l++) {
        const layer_t *layer = net->program->layer + l;
        place_t *place = net->places + l;
        place->in = layer->in, place->out = layer->out;
        place->in_stride = padded(layer->in), place->out_stride = padded(layer->out);
        place->first = layer->first < 0 ? -1 : size;
        if (layer->first >= 0) size += (int64_t)weight_rows(layer, 0) * place->out_stride;
        place->second = layer->second < 0 ? -1 : size;
        if (layer->second >= 0) size += place->out_stride;
        place->third = layer->third < 0 ? -1 : size;
        if (layer->third >= 0) size += 2 * (int64_t)place->out_stride;
        place->relu = l && layer[-1].kind == DENSE && plain_relu(net->program, l);
        place->draws = draws_of(layer->kind) ? drawn : -1;
        if (draws_of(layer->kind)) drawn += layer->out;
        if (layer->trained && net->learning == net->layers) net->learning = l;
        if (layer->kind != DENSE || !layer->trained) continue;
        const double *constants = net->program->constants[l].value;
        net->penalized |= constants[0] != 0 || constants[1] != 0;
        net->bounded |= constants[2] != 0;
    }
    net->size = size;
    net->outputs = net->program->layer[net->layers - 1].out;
}

static void close_network(network_t *net) {
    free(net->memory);
    free(net->tables);
}

/* Hand out `count` floats; with no memory yet only count them. */
static float *take(float **memory, int64_t *taken, int64_t count) {
    float *from = *memory ? *memory + *taken : NULL;
    *taken += (count + WIDTH - 1) / WIDTH * WIDTH;
    return from;
}

static int64_t share_out(network_t *net, float *memory, int training) {
    int64_t taken = 0, rows = net->rows;
    net->weights = take(&memory, &taken, net->size);
    if (training) {
        net->gradients = take(&memory, &taken, net->size);
        net->slots = take(&memory, &taken, net->size * net->program->slots);
    }
    for (int l = 0; l <= net->layers; l++) {
        int stride = l ? net->places[l - 1].out_stride : net->places[0].in_stride;
        net->values[l] = take(&memory, &taken, rows * stride);
        if (training) net->slopes[l] = take(&memory, &taken, rows * stride);
        if (l == net->layers) break;
        place_t *place = net->places + l;
        if (net->program->layer[l].kind == BATCH_NORM) {
            place->normal = take(&memory, &taken, rows * place->out_stride);
            place->spread = take(&memory, &taken, place->out_stride);
        }
        if (training && net->program->layer[l].kind == DENSE && l > net->learning)
            place->turned = take(&memory, &taken, (int64_t)place->out * place->in_stride);
    }
    return taken;
}

/* Make room for parts of `rows` rows; returns whether there was memory. */
static int open_network(network_t *net, const program_t *program, int64_t rows, int training) {
    memset(net, 0, sizeof *net);
    net->program = program, net->layers = program->layers, net->rows = rows;
    size_t layers = (size_t)program->layers + 1;
    net->tables = calloc(layers, sizeof(place_t) + 2 * sizeof(float *));
    if (!net->tables) return 0;
    net->places = net->tables;
    net->values = (float **)(net->places + layers);
    net->slopes = net->values + layers;
    lay_out(net);
    for (int i = 0; i < 2; i++) net->logs[i] = log(program->optimizer.option[1 + i]);
    net->memory = calloc((size_t)share_out(net, NULL, training) + WIDTH, sizeof(float));
    if (!net->memory) return close_network(net), 0;
    share_out(net, net->memory, training);
    copy_in(net, program->weight, net->weights);
    for (int s = 0; training && s < program->slots; s++)
        copy_in(net, program->slot + (int64_t)s * program->weights, net->slots + s * net->size);
    return 1;
}

/* Bring weights and slots back to where they came from. */
static void save_network(const network_t *net) {
    copy_out(net, net->weights, net->program->weight);
    for (int s = 0; s < net->program->slots; s++)
        copy_out(net, net->slots + s * net->size, net->program->slot + (int64_t)s * net->program->weights);
}
