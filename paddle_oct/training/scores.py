"""What is measured in training and testing: the loss and the accuracies."""

from __future__ import annotations

from typing import Any, Sequence

import paddle
from paddle import Tensor, nn
from paddle.metric import Accuracy


class Scores(Accuracy):
    """Top-1 accuracy, for more than five classes also top-5, and the sum of the losses.

    ``paddle.Model`` averages the losses of batches, which is not the mean over all images if the
    last batch is smaller, nor if several processes test, where some images are padding.

    Args:
        classes: the number of classes.
        loss: returns the loss of every image.
    """

    def __init__(self, classes: int, loss: nn.Layer) -> None:
        self.loss = loss
        if classes > 5:
            super().__init__((1, 5))
        else:
            super().__init__((1,), name="acc_top1")

    @property
    def sums(self) -> list[float]:
        """Sums since the last reset: of images, of their losses, of correct answers."""
        return [float(self.count[0]), self.sum_of_losses, *map(float, self.total)]

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the mean loss ``loss`` and the accuracies ``acc_top1``, ... of such sums."""
        images, losses, *correct = sums
        accuracies = {name: count / images for name, count in zip(self.name(), correct)}
        return {"loss": losses / images, **accuracies}

    def compute(self, pred: Tensor, label: Tensor, *args: Any) -> Any:
        """Return what :meth:`update` takes: the correct answers, and the loss of every image."""
        with paddle.no_grad():
            losses = self.loss(pred.astype("float32"), label)
        return super().compute(pred, label), losses

    def update(self, correct: Any, *args: Any) -> Any:
        """Add what :meth:`compute` returned, as arrays; return the batch's accuracies."""
        (losses,) = args
        self.sum_of_losses += float(losses.sum(dtype="float64"))
        return super().update(correct)

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.sum_of_losses = 0.0
