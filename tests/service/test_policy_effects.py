"""What a proposed policy set would change is counted against what decides now, whatever it is called."""

from __future__ import annotations

from dataclasses import replace

from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import OUT_OF_FORCE, PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.plan import Plan
from consentry.service.policy_effects import effects
from end_to_end.network import fresh
from service.at_work import POLICY, prepare
from service.staff import Office
from service.visitor import words

TEXT = shipped()[POLICY]
NEW_NAME = TEXT.replace(f'name = "{POLICY}"', 'name = "another"', 1)


def of(text: str) -> PolicySet:
    return load(text, "test")


def without_permits(name: str) -> PolicySet:
    return replace(of(TEXT), name=name, rules=tuple(rule for rule in of(TEXT).rules if rule.effect == "forbid"))


def planned(made: Office, policy: PolicySet) -> Plan:
    control = made.deployment.control
    at = control.desk.parts.clock()
    return control.releases.plan("network", Purpose.TRAIN_GENAI, policy=policy, at=at)


def counted(made: Office, policy: PolicySet) -> int:
    return planned(made, policy).tally.eligible


def test_the_text_has_another_name() -> None:
    assert of(NEW_NAME).name == "another"


def test_a_set_under_a_new_name_is_counted_against_what_decides_about_the_same_use(own: Office) -> None:
    control = own.deployment.control
    before = counted(own, of(TEXT))
    assert before > 0
    found = effects(control, without_permits("another"))
    (change,) = found["changes"]
    assert change["release"] == own.release
    assert change["eligible"] == {"before": before, "after": 0}
    assert sum(change["by_place"].values()) == -before
    assert found["against"] == [f"{POLICY} {of(TEXT).version}"]
    assert (change["undecided"], change["involving_several"]) == (0, planned(own, of(TEXT)).involving)
    assert any("removed" in line for line in found["lines"])
    same = effects(control, of(NEW_NAME))["changes"]
    assert [each["eligible"] for each in same] == [{"before": before, "after": before}]


def test_the_counts_are_those_of_the_release_that_is_built_afterwards(own: Office) -> None:
    control = own.deployment.control
    text = shipped()["november-2025"]
    (change,) = effects(control, of(text))["changes"]
    control.statements.publish(text, "november-2025")
    built = control.releases.build("network", Purpose.TRAIN_GENAI, policy="november-2025")
    if not change["undecided"]:
        assert change["eligible"]["after"] == built.manifest.eligible


def test_an_older_name_is_counted_against_the_newer_one_that_decides(own: Office) -> None:
    control = own.deployment.control
    control.statements.publish(NEW_NAME, "another")
    found = effects(control, without_permits(POLICY))
    version = of(TEXT).version
    assert found["against"] == [f"{POLICY} {version}", f"another {version}"]
    assert all(line.startswith((f"{POLICY}: ", "another: ")) for line in found["lines"])
    (change,) = found["changes"]
    assert change["eligible"]["after"] == 0


def test_the_first_set_for_a_use_is_counted_against_nothing(own: Office) -> None:
    serve = frozenset({Purpose.EVALUATE})
    rules = tuple(replace(rule, purposes=serve) for rule in of(TEXT).rules)
    found = effects(own.deployment.control, replace(of(TEXT), name="another", purposes=serve, rules=rules))
    assert (found["against"], found["lines"]) == ([], None)
    (change,) = found["changes"]
    assert change["release"] is None
    assert change["eligible"]["before"] == 0
    assert change["eligible"]["after"] > 0


def test_what_no_longer_would_be_decided_is_counted_too(own: Office) -> None:
    serve = frozenset({Purpose.EVALUATE})
    rules = tuple(replace(rule, purposes=serve) for rule in of(TEXT).rules)
    found = effects(own.deployment.control, replace(of(TEXT), purposes=serve, rules=rules))
    changes = {each["purpose"]: each["eligible"] for each in found["changes"]}
    assert changes["train-genai"]["after"] == 0
    assert changes["train-genai"]["before"] > 0


def test_everything_is_counted_as_of_one_moment() -> None:
    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        desk, asked = deployment.control.desk, list[int]()
        plain = desk.parts.clock

        def counting() -> int:
            asked.append(1)
            return plain()

        desk.parts = replace(desk.parts, clock=counting)
        assert effects(deployment.control, without_permits("another"))["changes"]
        assert len(asked) == 1


def test_the_approver_sees_it_and_so_does_a_program(own: Office) -> None:
    proposal = own.deployment.control.proposals.propose(NEW_NAME, reason="a new name", by="olga").proposal
    said = words(own.visitor("paul").get(f"/console/proposals/{proposal}"))
    assert f"Compared with: {POLICY} {of(TEXT).version}" in said
    assert "items are eligible today" in said
    body = own.visitor("paul").get(f"/v1/policy-proposals/{proposal}", accept="application/json").json()
    assert body["against"] == [f"{POLICY} {of(TEXT).version}"]
    assert [each["release"] for each in body["effects"]] == [own.release]


def test_taking_a_set_out_of_force_is_proposed_and_read_like_any_other_change(own: Office) -> None:
    text = OUT_OF_FORCE.format(name=POLICY)
    (change,) = effects(own.deployment.control, of(text))["changes"]
    assert change["eligible"] == {"before": counted(own, of(TEXT)), "after": 0}
    olga, paul = own.visitor("olga"), own.visitor("paul")
    form = {"text": text, "step": "propose", "reason": "the new one decides"}
    assert "items are eligible today, 0 would be" in words(olga.post("/console/propose-policy", {"text": text}))
    made = olga.post("/console/propose-policy", form)
    assert made.status_code == 303, words(made)
    address = made.headers["location"]
    assert [each.post(f"{address}/approve").status_code for each in (olga, paul)] == [303, 303]
    for path in (address, "/console/policies", "/transparency"):
        assert paul.get(path).status_code == 200
    (*_, newest) = own.deployment.control.desk.present().state.policies
    page = words(paul.get(f"/console/policies/{newest.position}"))
    assert "Withdrawn: this set permits nothing any more" in page
    listed = paul.get("/console/policies?format=json").json()["policies"]
    assert newest.position not in [each["position"] for each in listed], "what only withdraws is no set"
    (withdrawn,) = [each for each in listed if each["name"] == POLICY]
    assert (withdrawn["state"], withdrawn["until"] >= withdrawn["since"]) == ("withdrawn", True)
    twin = paul.get(f"/console/policies/{withdrawn['position']}?format=json").json()
    assert (twin["state"], twin["until"]) == ("withdrawn", withdrawn["until"])
    assert "in force" not in words(paul.get(f"/console/policies/{withdrawn['position']}"))
    body = paul.get(f"/v1/policy-sets/{POLICY}", accept="application/json").json()
    assert (body["version"], body["purposes"], body["rules"]) == ("withdrawn", [], [])
