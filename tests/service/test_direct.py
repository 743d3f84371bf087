"""An address that passes the framework by is guarded by all that it names, or is none."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.service.direct import DirectRoute
from consentry.service.figures import Figures, Observed
from consentry.service.gate import Needs


async def _nested(_: Annotated[object, Depends(Needs(Action.CASE_READ))]) -> None:
    return None


async def _answer(_: Request) -> Response:
    return Response()


@pytest.mark.parametrize("guard", [_nested, lambda: None])
def test_what_would_not_be_asked_is_a_mistake_in_the_program(guard: object) -> None:
    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="depends on what is not asked here"):
        router.add_api_route("/x", _answer, dependencies=[Depends(guard)])  # type: ignore[arg-type]


def test_what_is_asked_here_is_none() -> None:
    router = APIRouter(route_class=DirectRoute)
    router.add_api_route("/x", _answer, dependencies=[Depends(Needs(Action.CASE_READ))])
    assert len(router.routes) == 1


@pytest.mark.parametrize(("fails", "status"), [(False, "499"), (True, "500")])
def test_whoever_hangs_up_is_no_failure_of_ours(*, fails: bool, status: str) -> None:
    async def gone(*_: object) -> None:
        if fails:
            raise RuntimeError("ours")

    async def run() -> None:
        scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await Observed(gone, figures=figures, log=None)(scope, None, None)  # type: ignore[arg-type]

    figures = Figures()
    if fails:
        with pytest.raises(RuntimeError):
            asyncio.run(run())
    else:
        asyncio.run(run())
    (sample,) = [
        each
        for metric in figures.registry.collect()
        for each in metric.samples
        if each.name == "consentry_http_request_duration_seconds_count"
    ]
    assert sample.labels["status"] == status
