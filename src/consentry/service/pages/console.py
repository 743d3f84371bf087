"""The console: all of its pages, each for those who may do what it shows."""

from __future__ import annotations

from consentry.service.pages import console_case_steps, console_cases, console_overview, console_suspend

ROUTERS = (console_overview.ROUTER, console_cases.ROUTER, console_case_steps.ROUTER, console_suspend.ROUTER)
