"""What is asked about models: where they come from, whether they may be served, what is done about what they lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from consentry.client.answers import Said
from consentry.client.connection import address
from consentry.client.model_answers import MayBeServed, Model, WholeModel
from consentry.client.staff import ForStaff


class ForModels(ForStaff):
    """A part of `Consentry`."""

    def models(self) -> Iterator[Model]:
        """Yield the models."""
        return self._rows("/v1/models", "models", Model)

    def model(self, name: str) -> WholeModel:
        """Return a model with what it was trained on."""
        return self._get(address("/v1/models/{}", name), WholeModel)

    def register_model(self, name: str, **more: Any) -> Said:
        """Say what a model comes from: `base`, `releases`, `leases`, `digest`."""
        return self._write("/v1/models", Said, {"model": name, **more})

    def may_serve(self, model: str) -> MayBeServed:
        """Say whether a model may be served, and for how long the answer counts."""
        return self._get(address("/v1/models/{}/serving", model), MayBeServed)

    def choose_remedy(self, model: str, remedy: str, *, reason: str = "") -> WholeModel:
        """Choose what is done about an affected model."""
        return self._write(address("/v1/models/{}/remedy", model), WholeModel, {"remedy": remedy, "reason": reason})

    def approve_remedy(self, model: str) -> WholeModel:
        """Approve a remedy that nothing but words show, as `accept` or `drop-adapter`: two different people have to."""
        return self._write(address("/v1/models/{}/remedy/approvals", model), WholeModel, {})

    def finish_remedy(self, model: str, *, digest: str | None = None) -> WholeModel:
        """Say that what was chosen is done."""
        return self._write(address("/v1/models/{}/remedy/completion", model), WholeModel, {"digest": digest})

    def withdraw_model(self, model: str, *, reason: str) -> Said:
        """Say that nobody may serve a model any more, for good."""
        return self._write(address("/v1/models/{}/withdrawal", model), Said, {"reason": reason})
