"""The net of characters in Keras; the seconds are of the second epoch, which compiles nothing."""

import keras
from keras import layers

from benchmarks.peers.cnn_keras import Clock
from benchmarks.peers.job import read_job, report
from benchmarks.peers.text_windows import windows


def network(length: int, characters: int) -> keras.Model:
    """Return the net without its softmax."""
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            layers.Embedding(characters, 64),
            layers.LSTM(256, return_sequences=True),
            layers.LSTM(256, return_sequences=True),
            layers.Dense(characters),
        ]
    )


def main() -> None:
    """Fit and evaluate on the last windows."""
    job = read_job()
    keras.utils.set_random_seed(job.seed)
    inputs, targets, characters = windows(job)
    rows = len(inputs) - job.options["tests"]
    model, clock = network(job.options["length"], characters), Clock()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(inputs[:rows], targets[:rows], batch_size=job.batch, epochs=job.epochs, verbose=0, callbacks=[clock])
    loss, accuracy = model.evaluate(inputs[rows:], targets[rows:], batch_size=job.batch, verbose=0)
    steps = int(model.optimizer.iterations) // job.epochs
    report(job, steps, clock.seconds[-1], loss=float(loss), accuracy=float(accuracy))


main()
