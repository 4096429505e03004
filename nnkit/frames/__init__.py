"""Tables as columns: reading text exactly, kinds of cells, and the arithmetic of transforms. No spec, no torch."""
