"""Scripts of the peers, run as modules in environments of their own, where nnkit is not installed."""
