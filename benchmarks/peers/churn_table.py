"""The churn file as arrays, with pandas and scikit-learn, as people do it in a notebook."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Floats = NDArray[np.float32]
WORDS = ["Geography", "Gender"]
IGNORED = ["RowNumber", "CustomerId", "Surname", "Exited", "part"]


@dataclass(frozen=True)
class Split:
    """Training and test rows: inputs [rows, 11] and answers [rows]."""

    train_x: Floats
    train_y: Floats
    test_x: Floats
    test_y: Floats


def preparation() -> Pipeline:
    """Return what makes 11 scaled numbers of a row; the first category of each word is left out."""
    words = ColumnTransformer([("words", OneHotEncoder(drop="first"), WORDS)], remainder="passthrough")
    return make_pipeline(words, StandardScaler())


def inputs_and_answers(path: str) -> tuple[pd.DataFrame, Floats, NDArray[np.bool_]]:
    """Return the input columns, the answers [rows], and which rows are for training [rows]."""
    frame = pd.read_csv(path)
    training = (frame["part"] == "train").to_numpy()
    return frame.drop(columns=IGNORED), frame["Exited"].to_numpy(dtype="float32"), training


def load(path: str) -> Split:
    """Return the split that the file's column ``part`` says, scaled on the training rows."""
    inputs, answers, training = inputs_and_answers(path)
    prepare = preparation()
    train_x = prepare.fit_transform(inputs[training]).astype("float32")
    test_x = prepare.transform(inputs[~training]).astype("float32")
    return Split(train_x, answers[training], test_x, answers[~training])
