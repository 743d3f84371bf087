"""What it costs to wait before each step until a GPU has taken the one before, as `check_together` does.

    ./run bench gpu_steps [--rounds 5]

It needs a GPU. Two transformers over random numbers, in bfloat16, with AdamW: a small one, whose steps take a GPU less
time than Python takes to hand them out, and one of the size of GPT-2. Each trains for so many steps without a look at
the lease, with a look that does not wait, with `check_together` as jobs call it, and with `check_together` where nobody
marks what was launched, so that it waits for everything; in turns that go forth and back. A figure is the median of the
rounds. The first round is not counted. The control is training without a look beside itself.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from parts.measuring import Line, show
from torch import nn

from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease
from consentry.training.consumption import Journal
from consentry.training.held_release import HeldRelease
from consentry.training.holding import Holding
from consentry.training.lease_requests import LeaseRequests
from consentry.training.shared_deadline import SharedDeadline
from consentry.training.torch_devices import mark_step
from consentry.training.torch_ranks import check_together

_WORDS = 8192
_GOAL = 0.95
Check = Callable[[Lease, int], object]
Mark = Callable[[Lease], object]


class Transformer(nn.Module):  # type: ignore[misc]  # torch has no types in the environment of mypy
    """Predicts the next of some numbers."""

    def __init__(self, *, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(_WORDS, width)
        layer = nn.TransformerEncoderLayer(width, width // 64, 4 * width, dropout=0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, _WORDS)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1] - 1, device=ids.device)
        hidden = self.layers(self.embed(ids[:, :-1]), mask=mask, is_causal=True)
        return nn.functional.cross_entropy(self.head(hidden).transpose(1, 2), ids[:, 1:])


class Training:
    """A model, its optimiser, and what it learns from."""

    def __init__(self, *, width: int, layers: int, batch: int, length: int) -> None:
        torch.manual_seed(0)
        self._model = Transformer(width=width, layers=layers).to("cuda")
        self._optimizer = torch.optim.AdamW(self._model.parameters(), fused=True)
        self._ids = torch.randint(_WORDS, (batch, length + 1), device="cuda")

    def seconds(self, check: Check, mark: Mark, lease: Lease, *, steps: int) -> float:
        """Return how long so many steps take, with a check before each, and a mark after it."""
        torch.cuda.synchronize()
        began = time.perf_counter()
        for step in range(1, steps + 1):
            with torch.autocast("cuda", torch.bfloat16):
                loss = self._model(self._ids)
            loss.backward()
            check(lease, step)
            self._optimizer.step()
            mark(lease)
            self._optimizer.zero_grad()
        torch.cuda.synchronize()
        return time.perf_counter() - began


def lease_for_an_hour(folder: Path) -> Lease:
    """Return a lease that nobody renews."""
    shared, until = SharedDeadline.create(), boot_seconds() + 3600
    requests = LeaseRequests(url="http://127.0.0.1:9", lease="one", secret="")
    release = HeldRelease(name="r", manifest="", purpose="", files=(), requests=requests, shared=shared)
    holding = Holding(fence=1, ttl_s=3600, deadline=until)
    return Lease(holding=holding, release=release, job="j", journal=Journal(folder / "journal", header={}))


def nothing(*_: object) -> None:
    """Neither look nor mark."""


CHECKS: dict[str, tuple[Check, Mark]] = {
    "none": (nothing, nothing),
    "looks": (lambda lease, step: lease.check(step), nothing),
    "waits for the step before": (check_together, mark_step),
    "waits for everything": (check_together, nothing),
}


def measure(lease: Lease, *, rounds: int) -> list[Line]:
    """Measure everything."""
    sizes: list[tuple[str, int, dict[str, Any]]] = [
        ("4 layers of 256, 16 × 128", 60, {"width": 256, "layers": 4, "batch": 16, "length": 128}),
        ("12 layers of 768, 16 × 512", 12, {"width": 768, "layers": 12, "batch": 16, "length": 512}),
    ]
    lines = []
    for what, steps, size in sizes:
        training = Training(**size)
        found: dict[str, list[float]] = {name: [] for name in (*CHECKS, "control")}
        for number in range(rounds + 1):
            turn = [*CHECKS, *reversed(CHECKS)]
            took = [(name, training.seconds(*CHECKS[name], lease, steps=steps)) for name in turn]
            if number:
                for name in CHECKS:
                    found[name].append(sum(seconds for each, seconds in took if each == name))
                found["control"].append(2 * took[0][1])
        none = statistics.median(found["none"])
        lines.append(Line(what, f"{1e3 * none / 2 / steps:.2f} ms a step", "no look at the lease"))
        for name in list(found)[1:]:
            goal = "≥ 95 %" if name == "waits for the step before" else ""
            ratio = statistics.median(a / b for a, b in zip(found["none"], found[name], strict=True))
            met = ratio >= _GOAL if goal else None
            lines.append(
                Line(
                    f"  {name}",
                    f"{ratio:.1%} of its speed",
                    f"{min(found[name]) / 2 / steps * 1e3:.2f} ms at best",
                    goal,
                    met,
                )
            )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("this needs a GPU with CUDA")
    with tempfile.TemporaryDirectory() as name:
        lease = lease_for_an_hour(Path(name))
        show(f"Steps on {torch.cuda.get_device_name()}", measure(lease, rounds=given.rounds))
        lease.release.shared.path.unlink()
