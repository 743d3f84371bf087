"""The console: all of its pages, each for those who may do what it shows."""

from __future__ import annotations

from consentry.service.pages import (
    console_accounts,
    console_acts,
    console_case_steps,
    console_cases,
    console_jobs,
    console_models,
    console_notices,
    console_objections,
    console_overview,
    console_password,
    console_people,
    console_policies,
    console_registers,
    console_releases,
    console_sessions,
    console_suspend,
    console_webhooks,
)

ROUTERS = (
    console_overview.ROUTER,
    console_cases.ROUTER,
    console_case_steps.ROUTER,
    console_registers.ROUTER,
    console_suspend.ROUTER,
    console_jobs.ROUTER,
    console_releases.ROUTER,
    console_models.ROUTER,
    console_notices.ROUTER,
    console_objections.ROUTER,
    console_policies.ROUTER,
    console_people.ROUTER,
    console_accounts.ROUTER,
    console_acts.ROUTER,
    console_password.ROUTER,
    console_sessions.ROUTER,
    console_webhooks.ROUTER,
)
