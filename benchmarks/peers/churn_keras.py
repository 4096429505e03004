"""Churn in Keras; KERAS_BACKEND chooses the backend, option ``steps_per_execution`` how many steps a call does."""

import time

import keras

from benchmarks.peers.churn_table import load
from benchmarks.peers.job import read_job, report


def network() -> keras.Model:
    """Return 11-6-6-1, every weight between -0.05 and 0.05."""
    start = keras.initializers.RandomUniform(-0.05, 0.05)
    return keras.Sequential(
        [
            keras.Input((11,)),
            keras.layers.Dense(6, activation="relu", kernel_initializer=start),
            keras.layers.Dense(6, activation="relu", kernel_initializer=start),
            keras.layers.Dense(1, activation="sigmoid", kernel_initializer=start),
        ]
    )


def main() -> None:
    """Compile, fit, predict."""
    job = read_job()
    keras.utils.set_random_seed(job.seed)
    split = load(job.data)
    model = network()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], **job.options)
    start = time.perf_counter()
    model.fit(split.train_x, split.train_y, batch_size=job.batch, epochs=job.epochs, verbose=0)
    seconds = time.perf_counter() - start
    found = model.predict(split.test_x, verbose=0).ravel()
    report(job, int(model.optimizer.iterations), seconds, found)


main()
