"""Predictions: what ``predict`` writes, what predictions.csv holds, and how that is read back."""

from nnkit.predictions.layout import Layout as Layout
from nnkit.predictions.layout import OutputColumn as OutputColumn
from nnkit.predictions.reading import read_predictions as read_predictions
from nnkit.predictions.rows import Predictions as Predictions
from nnkit.predictions.rows import joined as joined
from nnkit.predictions.rows import predictions_csv as predictions_csv
from nnkit.predictions.text import csv_line as csv_line
from nnkit.predictions.text import csv_predictions as csv_predictions
from nnkit.predictions.text import csv_rows as csv_rows
from nnkit.predictions.text import json_members as json_members
from nnkit.predictions.text import json_predictions as json_predictions
from nnkit.predictions.text import json_rows as json_rows
from nnkit.predictions.text import prediction_table as prediction_table
