"""Pages for anyone: the first one, and what there is to know without an account."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.service.gate import Needs
from consentry.service.site import page

ROUTER = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))])


@ROUTER.get("/")
def front(request: Request) -> Response:
    """Show where to go."""
    return page(request, "front.html")
