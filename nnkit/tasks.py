"""What a network is asked for, and so what its targets and outputs look like."""

from typing import Literal, TypeAlias

Task: TypeAlias = Literal["binary", "multiclass", "multilabel", "regression", "next", "unlabelled"]
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
unlabelled  int64 [n], index of the label, float64 [n, k], the columns that the procedure names
            -1 where there is none
=========== ============================== ==========================================

In ``next``, a text's next token is foretold at each step; its n rows are then all steps of all windows. In
``unlabelled`` nothing is foretold: labels, where there are any, only serve to judge and to colour.
"""
