"""Data: sources, kinds of columns, splits, transforms, and the pipeline that a run keeps of them."""
