"""What a head makes of decoded features, beside what it makes of those that were dumped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from .errors import InvalidInput
from .sensitivity import log_probabilities

BATCH = 64  # samples that a head is given at once

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Outputs:
    """The outputs of a head for the features of a dump.

    `head` takes one tensor of features. `outputs` says what it returns: `classes`, logits of
    classes (a single one is that of yes), or `embedding`, vectors. `features` names the tensors,
    and says of each whether its first axis is that of samples; one without is a sample itself.
    """

    head: Callable[[torch.Tensor], torch.Tensor]
    outputs: str
    features: Mapping[str, bool]

    def of(self, tensors: Tensors) -> list[torch.Tensor]:
        """Return log probabilities of classes, or unit vectors, (samples, K) of each tensor."""
        found = []
        for name, samples in self.features.items():
            x = tensors[name].float()
            parts = x.split(BATCH) if samples else (x,)
            with torch.no_grad():
                y = torch.cat([self._called(part, samples) for part in parts])
            normalise = log_probabilities if self.outputs == "classes" else _unit
            found.append(normalise(y.double()))
        return found

    def of_dump(self, tensors: Tensors) -> list[torch.Tensor]:
        """Return those of the features as dumped; raise InvalidInput where they are no numbers."""
        found = self.of(tensors)
        if any(bool(torch.isnan(y).any()) for y in found):
            raise InvalidInput("the head returns outputs that are NaN, on features as dumped")
        return found

    def _called(self, x: torch.Tensor, samples: bool) -> torch.Tensor:
        """Return (samples, K); raise InvalidInput for what outputs cannot be."""
        y = self.head(x)
        wanted = (len(x),) if samples else ()
        if not isinstance(y, torch.Tensor) or y.ndim < 1 or y.shape[:-1] != wanted:
            shape = list(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
            axes = f"[{len(x)}, K]" if samples else "[K]"
            raise InvalidInput(f"the head returns {shape}; outputs must be {axes}")
        return y.reshape(-1, y.shape[-1]).cpu()

    def divergences(self, clean: list[torch.Tensor], decoded: list[torch.Tensor]) -> torch.Tensor:
        """Return how far the outputs of each sample are off, (samples,).

        It is the KL divergence in nats of classes, and 1 - cosine of embeddings.
        """
        return torch.cat([self._divergence(p, q) for p, q in zip(clean, decoded, strict=True)])

    def _divergence(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        if self.outputs == "classes":
            return (p.exp() * (p - q)).sum(1)
        return 1 - (p * q).sum(1)

    def losses(self, clean: list[torch.Tensor], decoded: list[torch.Tensor]) -> torch.Tensor:
        """Return what is expected to be lost of each sample, (samples,), without labels.

        Of classes it is accuracy, were the label one of two classes, that told before and that told
        now, as the clean outputs have it. Of embeddings it is 1 - cosine.
        """
        if self.outputs != "classes":
            return self.divergences(clean, decoded)
        found = []
        for p, q in zip(clean, decoded, strict=True):
            before, now = p.exp().amax(1), p.exp().gather(1, q.argmax(1, True))[:, 0]
            found.append((before - now) / (before + now))
        return torch.cat(found)


def _unit(y: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(y, dim=1)
