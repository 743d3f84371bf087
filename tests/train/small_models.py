"""A language model of a few thousand parameters over bytes, and one of transformers: seconds on a processor."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

LENGTH = 32
WORDS = 257  # bytes, and what fills up


def encode(row: dict[str, Any]) -> dict[str, Any]:
    """Return the first bytes of a text as numbers."""
    (text,) = row.values()
    data = list((text or "").encode()[:LENGTH])
    return {"ids": torch.tensor(data + [WORDS - 1] * (LENGTH - len(data)))}


def encode_for_trainer(row: dict[str, Any]) -> dict[str, Any]:
    """Return a text as a Trainer wants it."""
    ids = encode(row)["ids"]
    return {"input_ids": ids, "labels": ids}


class ByteModel(nn.Module):  # type: ignore[misc]
    """A recurrent model that predicts the next byte."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 16)
        self.recur = nn.GRU(16, 24, batch_first=True)
        self.head = nn.Linear(24, WORDS)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.recur(self.embed(ids[:, :-1]))
        return nn.functional.cross_entropy(self.head(hidden).transpose(1, 2), ids[:, 1:])


class Descent:
    """Steps against the gradient.

    The first optimiser of PyTorch's own that a process makes imports its compiler, which takes as long as PyTorch.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = list(model.parameters())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        for each in self._parameters:
            each.sub_(0.1 * each.grad)

    def zero_grad(self) -> None:
        for each in self._parameters:
            each.grad = None


def tiny_gpt() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, n_positions=LENGTH, n_embd=16, n_layer=1, n_head=2))
