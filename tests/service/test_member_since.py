"""Since when a use stands as it does: whichever version of the rules came to that, and not of the newest one."""

from __future__ import annotations

import time

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState
from service.at_work import POLICY
from service.members import Come, no
from service.test_member_stale import imported
from service.test_member_suspended import use_of

place = member.place


def test_a_new_version_that_changes_nothing_begins_nothing_anew(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    on, excluded = come("us"), come("de")
    since, against = use_of(on)["since"], use_of(excluded)["obstacles"][0]["since"]
    assert since == against is not None
    time.sleep(1.1)
    fewer = shipped()[POLICY].replace('"group-post", "group-message",', '"group-post",')
    deployment.control.statements.publish(fewer.replace("2024-08.2", "2024-08.3"), POLICY)
    use = use_of(on)
    assert use["policy"].endswith("2024-08.3")
    assert use["since"] == since, "it was on all the time"
    assert use_of(excluded)["obstacles"][0]["since"] == against
    (asked,) = deployment.control.own_settings.uses(deployment.person("us"))
    assert asked.since is not None
    assert asked.since > since, "the rules in force are of the day they were put in force"
    no(on)
    time.sleep(1.1)
    imported(deployment, ChoiceState.UNSET)
    assert use_of(on)["situation"] == "on"
    assert use_of(on)["since"] > asked.since, "in between it was off"


def test_rules_that_came_to_something_else_end_it(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    since = use_of(visitor)["since"]
    deployment.control.statements.publish(shipped()[POLICY].replace('"CH"]', '"CH", "US"]'), POLICY)
    assert use_of(visitor)["situation"] == "stopped"
    time.sleep(1.1)
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    assert use_of(visitor)["since"] > since
