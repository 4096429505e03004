"""The spec language: YAML with line numbers, registries of pieces, decoding, and the reference made from them."""
