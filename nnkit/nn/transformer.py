"""Blocks of a transformer (Vaswani and others, 2017): attention and a small net, each beside a residual connection."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nnkit.nn.attention import MultiHeadAttention
from nnkit.nn.basic import Dense, Function
from nnkit.nn.norm import LayerNorm
from nnkit.nn.random import Dropout
from nnkit.nn.sequence import Lengths, SequenceModule, zeroed


@dataclass(frozen=True)
class BlockOptions:
    """What both blocks have in common."""

    heads: int
    units: int
    activation: Function | None
    dropout: float
    norm_first: bool
    causal: bool
    rotary: bool
    epsilon: float


class Block(SequenceModule):
    """What both blocks do alike: [n, steps, size] -> the same."""

    def __init__(self, size: int, options: BlockOptions) -> None:
        super().__init__()
        self.options = options
        self.attention = self.attending(size, size, options.causal, options.rotary)
        self.attention_norm = LayerNorm(size, options.epsilon, center=True, scale=True)
        self.attention_dropout = Dropout(options.dropout)
        self.hidden = Dense(size, options.units, True, options.activation)
        self.hidden_dropout = Dropout(options.dropout)
        self.output = Dense(options.units, size, True, None)
        self.output_norm = LayerNorm(size, options.epsilon, center=True, scale=True)
        self.output_dropout = Dropout(options.dropout)

    def attending(self, size: int, values: int, causal: bool, rotary: bool) -> MultiHeadAttention:
        """Return an attention of the block's heads to values of another size."""
        heads = self.options.heads
        part = size // heads
        return MultiHeadAttention((size, values, values), heads, part, part, True, self.options.dropout, causal, rotary)

    def beside(self, x: Tensor, norm: LayerNorm, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``x`` plus a change of it, normalized ahead of the change or behind the sum."""
        if self.options.norm_first:
            return x + change(norm(x))
        normalized: Tensor = norm(x + change(x))
        return normalized

    def to_itself(self, x: Tensor, lengths: Lengths) -> Tensor:
        """Return the dropped-out attention of the steps to each other."""
        dropped: Tensor = self.attention_dropout(self.attention(x, lengths=lengths[:1]))
        return dropped

    def small_net(self, x: Tensor) -> Tensor:
        """Return the two dense layers of each step."""
        dropped: Tensor = self.output_dropout(self.output(self.hidden_dropout(self.hidden(x))))
        return dropped


class Encoder(Block):
    """Attention of the steps to each other, then the small net."""

    def forward(self, x: Tensor, lengths: Lengths = ()) -> Tensor:
        """Compute the block."""
        x = zeroed(x, lengths[0] if lengths else None)
        x = self.beside(x, self.attention_norm, lambda x: self.to_itself(x, lengths))
        return self.beside(x, self.output_norm, self.small_net)


class Decoder(Block):
    """Attention of the steps to each other and, where there is one, to a second input; then the small net."""

    def __init__(self, size: int, memory: int | None, options: BlockOptions) -> None:
        super().__init__(size, options)
        if memory is not None:
            self.cross_attention = self.attending(size, memory, False, False)
            self.cross_attention_norm = LayerNorm(size, options.epsilon, center=True, scale=True)
            self.cross_attention_dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, memory: Tensor | None = None, lengths: Lengths = ()) -> Tensor:
        """Compute the block."""
        x = zeroed(x, lengths[0] if lengths else None)
        x = self.beside(x, self.attention_norm, lambda x: self.to_itself(x, lengths))
        if memory is not None:
            x = self.beside(x, self.cross_attention_norm, lambda x: self.to_memory(x, memory, lengths))
        return self.beside(x, self.output_norm, self.small_net)

    def to_memory(self, x: Tensor, memory: Tensor, lengths: Lengths) -> Tensor:
        """Return the dropped-out attention of the steps to the second input."""
        dropped: Tensor = self.cross_attention_dropout(self.cross_attention(x, memory, lengths=lengths))
        return dropped
