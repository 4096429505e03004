/* The module nnkit._native: Python's arrays become the kernel's, and the kernel runs without the interpreter's lock. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "program.h"

static train_t *train = train_base;
static evaluate_t *evaluate = evaluate_base;
static activate_t *activate = activate_base;
static const char *processor = "base";

/* Take the fastest kernel that this processor runs, or the one that is asked for by name; returns whether it runs. */
static int choose(const char *wanted) {
#define KIND(target, runs)                                                                                             \
    if ((!wanted || !strcmp(wanted, #target)) && (runs)) {                                                             \
        train = train_##target, evaluate = evaluate_##target, activate = activate_##target;                           \
        processor = #target;                                                                                           \
        return 1;                                                                                                      \
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    KIND(avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    KIND(avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#endif
    KIND(base, 1)
    return 0;
}

/* All buffers of a call, so that one place lets them go. */
enum { LAYER, CONSTANT, LOSS, OPTIMIZER, CLIP, WEIGHT, SLOT, CLOCK, PROGRAM_BUFFERS };
enum { INPUT, TARGET, ROW_WEIGHT, ORDER, DRAWS, RATE, ROW_LOSS, OUTPUT, NORM, DATA_BUFFERS };

static void let_go(Py_buffer *buffers, int count) {
    for (int i = 0; i < count; i++)
        if (buffers[i].obj) PyBuffer_Release(buffers + i);
}

static int wrong(const char *what) {
    PyErr_Format(PyExc_ValueError, "the native engine was given %s of the wrong size", what);
    return 0;
}

static int64_t count(const Py_buffer *buffer, size_t size) { return buffer->buf ? buffer->len / (int64_t)size : 0; }

/* Whether weights [rows, columns] from `begin` on lie within all of them; -1 stands for none. */
static int within(int64_t begin, int64_t size, int64_t all) { return begin == -1 || (begin >= 0 && begin + size <= all); }

static int layers_fit(const program_t *program) {
    for (int l = 0; l < program->layers; l++) {
        const layer_t *layer = program->layer + l;
        int64_t in = layer->in, out = layer->out, all = program->weights;
        if (layer->kind < 0 || layer->kind >= LAYERS || in < 1 || out < 1) return 0;
        if (l && in != layer[-1].out) return 0;
        if (layer->kind != DENSE && in != out) return 0;
        if (layer->kind == ACTIVATION && (layer->activation < 0 || layer->activation >= ACTIVATIONS)) return 0;
        if (layer->kind == DENSE && layer->first < 0) return 0;
        if (layer->kind == BATCH_NORM && layer->third < 0) return 0;
        if (!within(layer->first, layer->kind == DENSE ? in * out : out, all)) return 0;
        if (!within(layer->second, out, all) || !within(layer->third, 2 * out, all)) return 0;
    }
    return 1;
}

/* Make a program of buffers; returns 0 with an exception where they do not fit together. */
static int read_program(Py_buffer *b, program_t *program) {
    program->layers = (int)count(b + LAYER, sizeof(layer_t));
    program->layer = b[LAYER].buf, program->constants = b[CONSTANT].buf;
    program->weights = (int)count(b + WEIGHT, 4), program->weight = b[WEIGHT].buf;
    program->slots = program->weights ? (int)(count(b + SLOT, 4) / program->weights) : 0, program->slot = b[SLOT].buf;
    if (program->layers < 1 || count(b + CONSTANT, sizeof(constants_t)) != program->layers) return wrong("layers");
    if (b[LOSS].len != sizeof(choice_t) || b[OPTIMIZER].len != sizeof(choice_t)) return wrong("options");
    if (count(b + CLIP, 8) != 2 || count(b + CLOCK, 8) != 2) return wrong("options");
    program->loss = *(choice_t *)b[LOSS].buf, program->optimizer = *(choice_t *)b[OPTIMIZER].buf;
    if (!(program->loss.kind >= 0 && program->loss.kind < LOSSES)) return wrong("losses");
    if (!(program->optimizer.kind >= 0 && program->optimizer.kind < OPTIMIZERS)) return wrong("optimizers");
    if (program->slots < slots_of(&program->optimizer)) return wrong("slots");
    program->clip_value = ((double *)b[CLIP].buf)[0], program->clip_norm = ((double *)b[CLIP].buf)[1];
    program->clock = b[CLOCK].buf;
    return layers_fit(program) || wrong("layers");
}

static int64_t drawn(const program_t *program) {
    int64_t sum = 0;
    for (int l = 0; l < program->layers; l++) {
        if (draws_of(program->layer[l].kind)) sum += program->layer[l].out;
    }
    return sum;
}

static int targets_fit(const program_t *program, const data_t *data, int64_t all) {
    int out = program->layer[program->layers - 1].out;
    for (int64_t r = 0; by_class((int)program->loss.kind) && r < all; r++)
        if (((const int64_t *)data->y)[r] < 0 || ((const int64_t *)data->y)[r] >= out) return wrong("classes");
    for (int64_t r = 0; data->order && r < data->rows; r++)
        if (data->order[r] < 0 || data->order[r] >= all) return wrong("row numbers");
    return 1;
}

/* Make data of buffers; returns 0 with an exception where they do not fit the program. */
static int read_data(Py_buffer *b, const program_t *program, data_t *data) {
    int in = program->layer[0].in, out = program->layer[program->layers - 1].out;
    int64_t all = count(b + INPUT, 4) / in, targets = by_class((int)program->loss.kind) ? count(b + TARGET, 8) : count(b + TARGET, 4) / out;
    data->x = b[INPUT].buf, data->y = b[TARGET].buf, data->weight = b[ROW_WEIGHT].buf, data->order = b[ORDER].buf;
    data->draws = b[DRAWS].buf, data->rate = b[RATE].buf, data->losses = b[ROW_LOSS].buf, data->outputs = b[OUTPUT].buf, data->norms = b[NORM].buf;
    data->rows = data->order ? count(b + ORDER, 8) : all;
    if (data->batch < 1 || data->part < 1 || data->part > data->batch) return wrong("batches");
    if (data->y && targets != all) return wrong("targets");
    if (data->weight && count(b + ROW_WEIGHT, 4) != all) return wrong("row weights");
    if (data->draws && count(b + DRAWS, 2) != drawn(program) * data->rows) return wrong("random numbers");
    if (count(b + OUTPUT, 4) != data->rows * out) return wrong("outputs");
    return !data->y || targets_fit(program, data, all);
}

static int training_fits(const program_t *program, const data_t *data, const Py_buffer *b) {
    int64_t steps = (data->rows + data->batch - 1) / data->batch;
    if (!data->y || !data->order || (!data->draws && drawn(program))) return wrong("arrays to train on");
    if (count(b + RATE, 8) != steps || count(b + ROW_LOSS, 4) != steps) return wrong("rates");
    if (count(b + NORM, 8) != program->layers) return wrong("norms");
    return 1;
}

/* The arguments of both: eight buffers of the program, nine of the data, rows of a batch and of a part. */
#define ARGUMENTS "(y*y*y*y*y*w*w*w*)(y*z*z*z*z*z*w*w*w*)LL"

static PyObject *call(PyObject *args, int training) {
    Py_buffer p[PROGRAM_BUFFERS] = {{0}}, d[DATA_BUFFERS] = {{0}};
    program_t program = {0};
    data_t data = {0};
    long long batch, part;
    double result = 0;
    if (!PyArg_ParseTuple(args, ARGUMENTS, p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7, d, d + 1, d + 2, d + 3,
                          d + 4, d + 5, d + 6, d + 7, d + 8, &batch, &part))
        return NULL;
    data.batch = batch, data.part = part;
    if (read_program(p, &program) && read_data(d, &program, &data) &&
        (training ? training_fits(&program, &data, d) : !data.y || count(d + ROW_LOSS, 4) == data.rows || wrong("losses"))) {
        Py_BEGIN_ALLOW_THREADS
        result = training ? train(&program, &data) : evaluate(&program, &data);
        Py_END_ALLOW_THREADS
        if (result < 0) PyErr_NoMemory();
    }
    let_go(p, PROGRAM_BUFFERS);
    let_go(d, DATA_BUFFERS);
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(result);
}

static PyObject *py_train(PyObject *module, PyObject *args) { return call(args, 1); }

static PyObject *py_evaluate(PyObject *module, PyObject *args) { return call(args, 0); }

static PyObject *py_activate(PyObject *module, PyObject *args) {
    Py_buffer options, values;
    int kind, columns;
    if (!PyArg_ParseTuple(args, "iy*w*i", &kind, &options, &values, &columns)) return NULL;
    int fits = kind >= 0 && kind < ACTIVATIONS && count(&options, 8) == CONSTANTS && columns > 0 &&
               count(&values, 4) % columns == 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        activate(kind, options.buf, values.buf, count(&values, 4) / columns, columns);
        Py_END_ALLOW_THREADS
    } else wrong("values");
    PyBuffer_Release(&options);
    PyBuffer_Release(&values);
    if (!fits) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_use(PyObject *module, PyObject *args) {
    const char *wanted;
    if (!PyArg_ParseTuple(args, "z", &wanted)) return NULL;
    if (!choose(wanted)) return PyErr_Format(PyExc_ValueError, "this processor does not run the kernel %s", wanted);
    return PyUnicode_FromString(processor);
}

static PyMethodDef methods[] = {
    {"train", py_train, METH_VARARGS, "Train on rows; returns the norm of the last gradient, and those of layers in an array."},
    {"evaluate", py_evaluate, METH_VARARGS, "Compute outputs and losses of rows; returns the penalty of the weights."},
    {"activate", py_activate, METH_VARARGS, "Apply an activation to rows in place."},
    {"use", py_use, METH_VARARGS, "Use the kernel of a name, or the best; returns its name."},
    {NULL},
};

static int add_names(PyObject *module, const char *title, const char *const *names, int count) {
    PyObject *numbers = PyDict_New();
    for (int i = 0; numbers && i < count; i++) {
        PyObject *number = PyLong_FromLong(i);
        if (!number || PyDict_SetItemString(numbers, names[i], number)) Py_CLEAR(numbers);
        Py_XDECREF(number);
    }
    int result = numbers ? PyModule_AddObjectRef(module, title, numbers) : -1;
    Py_XDECREF(numbers);
    return result;
}

#define X(name) #name,
static const char *const layer_names[] = {"dense", "activation", "dropout", "input_dropout", "alpha_dropout", "batch_norm"};
static const char *const activation_names[] = {ACTIVATION_NAMES};
static const char *const loss_names[] = {LOSS_NAMES};
static const char *const optimizer_names[] = {OPTIMIZER_NAMES};
#undef X

static int execute(PyObject *module) {
    choose(NULL);
    return add_names(module, "LAYERS", layer_names, LAYERS) ||
                   add_names(module, "ACTIVATIONS", activation_names, ACTIVATIONS) ||
                   add_names(module, "LOSSES", loss_names, LOSSES) ||
                   add_names(module, "OPTIMIZERS", optimizer_names, OPTIMIZERS)
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "nnkit._native", "The native engine.", 0, methods, slots};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
