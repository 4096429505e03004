"""What a network is asked for, and so what its targets and outputs look like."""

from typing import Literal, TypeAlias

Task: TypeAlias = Literal["binary", "multiclass", "multilabel", "regression", "next", "tagging", "unlabelled"]
"""The tasks. With n rows, k targets and c classes, arrays are, throughout nnkit:

=========== ============================== ==========================================
task        truth                          outputs
=========== ============================== ==========================================
binary      int64 [n], 1 is the positive   probability of the positive class [n]
multiclass  int64 [n], index of the class  probabilities [n, c]
multilabel  int64 [n, k], 0 or 1           probabilities [n, k], independent
regression  float64 [n, k], target's units float64 [n, k], target's units
next        int64 [n], number of the token log-probability of that token, and number of the
                                           likeliest one: [n, 2]
tagging     int64 [n], index of the tag    probabilities [n, c]
unlabelled  int64 [n], index of the label, float64 [n, k], the columns that the procedure names
            -1 where there is none
=========== ============================== ==========================================

In ``next``, a text's next token is foretold at each step; its n rows are then all steps of all windows. In
``tagging`` each word of a sentence has a class, its tag; the n rows are all words of all sentences. In
``unlabelled`` nothing is foretold: labels, where there are any, only serve to judge and to colour.
"""

Scheme: TypeAlias = Literal["BIO", "IOB1", "BIOES", "none"]
"""How tags mark entities, words that follow each other: see ``nnkit.metrics.entities``."""


def of_steps(task: Task) -> Task:
    """Return the task of each word by itself where the task is tagging, else the task."""
    return "multiclass" if task == "tagging" else task
