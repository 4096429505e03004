import numpy as np
import pytest

from nnkit.runs.folds import combine_folds


def test_mean_and_sample_deviation_of_each_value() -> None:
    folds = [{"train": {"loss": 1.0}, "test": {"f1": value, "auc": value / 2}} for value in (0.5, 0.7, 0.9)]
    combined = combine_folds(folds)
    assert combined["mean"]["test"] == pytest.approx({"f1": 0.7, "auc": 0.35})
    assert combined["deviation"]["test"]["f1"] == pytest.approx(np.std([0.5, 0.7, 0.9], ddof=1))
    assert combined["deviation"]["train"]["loss"] == 0
    assert combined["folds"] == folds


def test_a_value_that_one_fold_lacks_has_no_mean() -> None:
    combined = combine_folds([{"test": {"roc_auc": 0.5}}, {"test": {"roc_auc": None}}])
    assert combined["mean"] == combined["deviation"] == {"test": {"roc_auc": None}}
