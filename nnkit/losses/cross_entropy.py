"""Losses of classes: cross-entropies, and focal losses, which look more at what is hard."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.losses import LOSSES, Loss, mean_of_rows

if TYPE_CHECKING:
    from torch import Tensor

    from nnkit.losses import Function

EPSILON = 1e-7
"""Keras' ``backend.epsilon()``: the least probability whose logarithm is taken."""
SMOOTHING = Field(
    default=0.0, ge=0, lt=1, description="Share of the target that is spread evenly over the classes (over 0 and 1)."
)
GAMMA = Field(default=2.0, ge=0, description="How much less an easy row counts; 0 is the cross-entropy.")


class _YesNo(Loss):
    """A loss of independent probabilities, each of a yes or a no."""

    single = "binary"
    several = "multilabel"
    fused = ("sigmoid",)
    needs_fused = True

    label_smoothing: float = SMOOTHING

    def smooth(self, targets: "Tensor") -> "Tensor":
        """Move targets of 0 and 1 towards 1/2."""
        if not self.label_smoothing:
            return targets
        return targets * (1 - self.label_smoothing) + self.label_smoothing / 2


@LOSSES.register("binary_cross_entropy")
class BinaryCrossEntropy(_YesNo):
    """Minus the log of the probability given to the truth: of two classes, or of each label by itself.

    The network ends in ``sigmoid``, and the loss is computed from the values before it, which never overflows; so there
    is no ``from_logits`` as in Keras. It is Keras' binary_crossentropy and torch's BCEWithLogitsLoss, whose
    ``pos_weight`` Keras lacks; ``label_smoothing`` is Keras', torch has none here. With several targets a row's loss is
    the mean over them.
    """

    pos_weight: float = Field(default=1.0, gt=0, description="Factor on the loss of targets that are 1.")

    native_options = ("pos_weight", "label_smoothing")

    def build(self, fused: bool) -> "Function":
        """Return torch's loss on logits, or on probabilities (from 1e-7 to 1 - 1e-7, as in Keras)."""
        import torch
        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            weight = None if self.pos_weight == 1 else torch.full_like(outputs[:1], self.pos_weight)
            logits = outputs if fused else outputs.logit(EPSILON)
            smooth = self.smooth(targets)
            return functional.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weight, reduction="none")

        return mean_of_rows(loss)


@LOSSES.register("binary_focal")
class BinaryFocal(_YesNo):
    """The binary cross-entropy, times (1 - probability of the truth) ^ gamma (Lin and others, 2017).

    The network ends in ``sigmoid``. It is Keras' BinaryFocalCrossentropy; ``alpha`` there needs
    ``apply_class_balancing`` and is 0.25 then, here it balances when it is given. torchvision's sigmoid_focal_loss is
    the same.
    """

    gamma: float = GAMMA
    alpha: float | None = Field(
        default=None, ge=0, le=1, description="Factor on targets that are 1; those that are 0 get 1 - alpha."
    )

    native_options = ("gamma", "alpha", "label_smoothing")

    def build(self, fused: bool) -> "Function":
        """Return the loss on logits, or on probabilities."""
        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            logits = outputs if fused else outputs.logit(EPSILON)
            smooth = self.smooth(targets)
            entropy = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
            missed = smooth * (-logits).sigmoid() + (1 - smooth) * logits.sigmoid()
            return entropy * _power(missed, self.gamma) * self._balance(smooth)

        return mean_of_rows(loss)

    def _balance(self, targets: "Tensor") -> "Tensor | float":
        return 1.0 if self.alpha is None else targets * self.alpha + (1 - targets) * (1 - self.alpha)


class _OneClass(Loss):
    """A loss of the probabilities of classes that exclude each other."""

    single = "multiclass"
    several = None
    fused = ("softmax",)
    needs_fused = True

    label_smoothing: float = SMOOTHING

    def log_probabilities(self, fused: bool, outputs: "Tensor") -> "Tensor":
        """Return the logs of probabilities [n, c], which with ``fused`` are before their softmax."""
        return outputs.log_softmax(-1) if fused else outputs.clamp_min(EPSILON).log()


@LOSSES.register("categorical_cross_entropy")
class CategoricalCrossEntropy(_OneClass):
    """Minus the log of the probability given to the true one of several classes.

    The network ends in ``softmax``, and the loss is computed from the values before it, which never overflows; so there
    is no ``from_logits`` as in Keras. The target is one column of labels: Keras' sparse_categorical_crossentropy, with
    the ``label_smoothing`` that there only categorical_crossentropy has; torch's CrossEntropyLoss.
    """

    native_options = ("label_smoothing",)

    def build(self, fused: bool) -> "Function":
        """Return torch's cross-entropy of logits, or the same of probabilities (at least 1e-7, as in Keras)."""
        from torch.nn import functional

        smoothing = self.label_smoothing

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            # The softmax of log-probabilities is the probabilities, so one function serves both.
            logits = outputs if fused else self.log_probabilities(fused, outputs)
            return functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")

        return loss


@LOSSES.register("categorical_focal")
class CategoricalFocal(_OneClass):
    """The categorical cross-entropy, each class' part times (1 - its probability) ^ gamma (Lin and others, 2017).

    The network ends in ``softmax``. It is Keras' CategoricalFocalCrossentropy for a target of labels; torch has none.
    """

    gamma: float = GAMMA
    alpha: float = Field(default=0.25, gt=0, description="Factor on the whole loss, as in Keras.")

    native_options = ("gamma", "alpha", "label_smoothing")

    def build(self, fused: bool) -> "Function":
        """Return the loss on logits, or on probabilities."""
        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            logs = self.log_probabilities(fused, outputs)
            classes = outputs.shape[-1]
            hot = functional.one_hot(targets, classes).to(outputs.dtype)
            smooth = hot * (1 - self.label_smoothing) + self.label_smoothing / classes
            return -self.alpha * (smooth * _power(1 - logs.exp(), self.gamma) * logs).sum(-1)

        return loss


def _power(share: "Tensor", gamma: float) -> "Tensor":
    """Return share ^ gamma; the floor keeps the slope finite at 0, where gamma < 1 would make it infinite."""
    return share.clamp_min(1e-30) ** gamma
