"""The convolutional net in Keras; the seconds are of the second epoch, which compiles nothing."""

import time
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.peers.job import read_job, report


class Clock(keras.callbacks.Callback):
    """Keeps the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self._start)


def network() -> keras.Model:
    """Return the net."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main() -> None:
    """Fit and evaluate on the last rows."""
    job = read_job()
    keras.utils.set_random_seed(job.seed)
    with np.load(job.data) as arrays:
        pictures, digits = arrays["pictures"], arrays["digit"]
    rows = len(digits) - job.options["tests"]
    model, clock = network(), Clock()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pictures[:rows], digits[:rows], batch_size=job.batch, epochs=job.epochs, verbose=0, callbacks=[clock])
    loss, accuracy = model.evaluate(pictures[rows:], digits[rows:], batch_size=job.batch, verbose=0)
    steps = int(model.optimizer.iterations) // job.epochs
    report(job, steps, clock.seconds[-1], loss=float(loss), accuracy=float(accuracy))


if __name__ == "__main__":
    main()
