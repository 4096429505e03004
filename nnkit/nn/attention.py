"""Attention: each step of a row looks at steps of the same row or another one, and never behind an end."""

import math

import torch
from torch import Tensor, nn

from nnkit.nn.basic import empty
from nnkit.nn.random import Dropout
from nnkit.nn.sequence import Lengths, SequenceModule, beside, inside, zeroed

ROTARY_BASE = 10_000.0


def seen(queries: int, keys: int, ends: Tensor | None, causal: bool, device: torch.device) -> Tensor | None:
    """Return which keys each query may look at, as booleans [n or 1, queries or 1, keys]; None for all.

    A row without keys sees one, so that its shares are numbers; ``without_empty`` takes out what comes of them.
    """
    mask = None if ends is None else inside(ends.clamp(min=1), keys)[:, None]
    if causal:
        before = torch.ones(queries, keys, dtype=torch.bool, device=device).tril()[None]
        mask = before if mask is None else mask & before
    return mask


def shares(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return the softmax of scores [..., queries, keys] over the keys that a mask lets through."""
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1)


def without_empty(x: Tensor, ends: Tensor | None) -> Tensor:
    """Return ``x`` [n, ...] with zeros for the rows whose values have no step to look at."""
    return x if ends is None else x.masked_fill(beside(ends == 0, x), 0.0)


class Attention(SequenceModule):
    """softmax(query @ key') @ value, the dot-product attention of Luong and others (2015).

    [n, queries, size], [n, steps, out] and, where keys are others than values, [n, steps, size] -> [n, queries, out].
    """

    def __init__(self, use_scale: bool, causal: bool, dropout: float) -> None:
        super().__init__()
        self.scale = empty() if use_scale else None
        self.causal = causal
        self.dropout = Dropout(dropout)

    def forward(self, query: Tensor, value: Tensor, key: Tensor | None = None, lengths: Lengths = ()) -> Tensor:
        """Compute the layer."""
        ends = lengths[1] if lengths else None
        value = zeroed(value, ends)
        key = value if key is None else zeroed(key, ends)
        scores = query @ key.transpose(1, 2)
        scores = scores if self.scale is None else scores * self.scale
        mask = seen(query.shape[1], value.shape[1], ends, self.causal, query.device)
        return without_empty(self.dropout(shares(scores, mask)) @ value, ends)


class Projection(nn.Module):
    """A dense layer to several heads: [n, steps, inputs] -> [n, heads, steps, size]."""

    def __init__(self, inputs: int, heads: int, size: int, use_bias: bool) -> None:
        super().__init__()
        self.kernel = empty(inputs, heads, size)
        self.bias = empty(heads, size) if use_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        y = x @ self.kernel.flatten(1)
        y = y if self.bias is None else y + self.bias.flatten()
        return y.view(*x.shape[:2], *self.kernel.shape[1:]).transpose(1, 2)


class Merging(nn.Module):
    """A dense layer from several heads: [n, heads, steps, size] -> [n, steps, outputs]."""

    def __init__(self, heads: int, size: int, outputs: int, use_bias: bool) -> None:
        super().__init__()
        self.kernel = empty(heads, size, outputs)
        self.bias = empty(outputs) if use_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        y = x.transpose(1, 2).flatten(2) @ self.kernel.flatten(0, 1)
        return y if self.bias is None else y + self.bias


class MultiHeadAttention(SequenceModule):
    """Attention of several heads (Vaswani and others, 2017): [n, queries, inputs] -> [n, queries, outputs].

    Values, and keys where they are others, are a second and a third input; without them the queries are all three.
    ``sizes`` are the features of queries, values and keys.
    """

    def __init__(
        self,
        sizes: tuple[int, int, int],
        heads: int,
        key_size: int,
        value_size: int,
        use_bias: bool,
        dropout: float,
        causal: bool,
        rotary: bool,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        queries, values, keys = sizes
        self.query = Projection(queries, heads, key_size, use_bias)
        self.key = Projection(keys, heads, key_size, use_bias)
        self.value = Projection(values, heads, value_size, use_bias)
        self.attention_output = Merging(heads, value_size, outputs or queries, use_bias)
        self.dropout = Dropout(dropout)
        self.causal = causal
        self.rotary = rotary

    def forward(
        self, query: Tensor, value: Tensor | None = None, key: Tensor | None = None, lengths: Lengths = ()
    ) -> Tensor:
        """Compute the layer."""
        ends = None if not lengths else lengths[0 if value is None else 1]
        query = zeroed(query, lengths[0] if lengths else None)
        value = query if value is None else zeroed(value, ends)
        key = value if key is None else zeroed(key, ends)
        q, k, v = self.query(query), self.key(key), self.value(value)
        if self.rotary:
            q, k = rotated(q), rotated(k)
        attended = self._attended(q, k, v, seen(q.shape[2], k.shape[2], ends, self.causal, q.device))
        output: Tensor = self.attention_output(without_empty(attended, ends))
        return output

    def _attended(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Return what each head sees [n, heads, queries, size]; by torch's one call where nothing drops out."""
        mask = None if mask is None else mask[:, None]
        if not (self.training and self.dropout.rate):
            return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        attended: Tensor = self.dropout(shares(scores, mask)) @ v
        return attended


def rotated(x: Tensor) -> Tensor:
    """Return [..., steps, size] with pairs of values turned by an angle that grows with the step.

    So a product of two vectors depends on how far apart their steps are (Su and others, 2021). Value i makes a pair
    with value i + size / 2.
    """
    half = x.shape[-1] // 2
    angles = wave_angles(x.shape[-2], x.shape[-1], ROTARY_BASE, x.device)
    sine, cosine = angles.sin().to(x.dtype), angles.cos().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1)


def wave_angles(steps: int, size: int, longest: float, device: torch.device) -> Tensor:
    """Return step / longest^(2 i / size) for each step and i up to half of ``size``: [steps, half of size]."""
    exact = torch.float32 if device.type == "mps" else torch.float64
    places = torch.arange(steps, device=device, dtype=exact)
    return places[:, None] * longest ** (-torch.arange(0, size, 2, device=device, dtype=exact) / size)
