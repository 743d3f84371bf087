"""Orders by themselves: scopes become rules, and the fold says what holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import digest
from consentry.errors import ConsentryError
from consentry.ledger.envelope import Stored, restore
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import OrderDrained, OrderEnd, OrderEnded, Origin
from consentry.oversight.authority_view import order_document
from consentry.oversight.case_report import order_json
from consentry.oversight.drained_words import drained_in_words
from consentry.oversight.order import Orders, Scope, in_words, issue
from consentry.policy.evaluator import Request, evaluate
from consentry.policy.expressions import Effect, Item, Person, Rule
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Age, Category, Purpose, Visibility
from ledger.sayings import event

AT = instant("2024-09-20")
PERMIT = Rule(id="all", effect=Effect.PERMIT, why="everything")
PUBLIC, POST, IMAGE = Visibility.PUBLIC, Category.POST, Category.IMAGE


def allowed(scope: Scope, place: str, *, item: Item | None = None, purpose: Purpose = Purpose.TRAIN_GENAI) -> bool:
    person = Person(places=frozenset({place}), established=True, age=Age.ADULT)
    item = Item(category=POST, visibility=PUBLIC, created=AT) if item is None else item
    request = Request(purpose=purpose, item=item, people=(person,), at=AT)
    decision = evaluate((PERMIT, scope.rule("o.1", why="a test")), request)
    assert decision.allowed or "suspended:o.1" in map(str, decision.reasons) or decision.gaps
    return decision.allowed


def test_the_uk_only() -> None:
    scope = Scope(areas=frozenset({"UK"}))
    assert [allowed(scope, place) for place in ("GB", "GB-SCT", "JE", "IE", "US")] == [False, False, True, True, True]


def test_the_uk_the_eu_the_eea_and_switzerland() -> None:
    scope = Scope(areas=frozenset({"UK", "EU", "EEA", "CH"}))
    assert [allowed(scope, place) for place in ("GB", "DE", "NO", "CH", "US", "BR")] == [False] * 4 + [True] * 2


def test_public_posts_of_uk_users_only() -> None:
    scope = Scope(areas=frozenset({"UK"}), categories=frozenset({POST}), visibilities=frozenset({PUBLIC}))
    connections = Item(category=POST, visibility=Visibility.CONNECTIONS, created=AT)
    image, unclear = Item(category=IMAGE, visibility=PUBLIC, created=AT), Item(category=POST, created=AT)
    assert not allowed(scope, "GB")
    assert allowed(scope, "GB", item=connections)
    assert allowed(scope, "GB", item=image)
    assert not allowed(scope, "GB", item=unclear)  # it may be public


def test_a_date_window_in_the_eu() -> None:
    window = Scope(areas=frozenset({"EU"}), created_from=instant("2024-05-07"), created_before=instant("2024-08-02"))
    of = {
        day: Item(category=POST, visibility=PUBLIC, created=None if day is None else instant(day))
        for day in ("2024-05-06", "2024-05-07", "2024-08-01", "2024-08-02", None)
    }
    assert [allowed(window, "DE", item=each) for each in of.values()] == [True, False, False, True, False]
    assert all(allowed(window, "US", item=each) for each in of.values())


def test_posts_of_a_date_window_in_the_eu() -> None:
    window = Scope(
        areas=frozenset({"EU"}),
        categories=frozenset({POST}),
        created_from=instant("2024-05-07"),
        created_before=instant("2024-08-02"),
    )
    within, before = instant("2024-08-01"), instant("2024-05-06")

    def of(category: Category, created: int | None) -> bool:
        return allowed(window, "DE", item=Item(category=category, visibility=PUBLIC, created=created))

    assert [of(POST, each) for each in (before, within, None)] == [True, False, False]
    assert [of(IMAGE, each) for each in (before, within, None)] == [True, True, True]
    assert allowed(window, "US", item=Item(category=POST, visibility=PUBLIC, created=within))
    assert in_words(window) == "EU; post; created from 2024-05-07, before 2024-08-02"


def test_images_only_and_purposes() -> None:
    scope = Scope(categories=frozenset({IMAGE}), purposes=frozenset({Purpose.TRAIN_GENAI_IMAGE}))
    image = Item(category=IMAGE, visibility=PUBLIC, created=AT)
    assert allowed(scope, "US")
    assert not allowed(scope, "US", item=image)  # a use for the whole is a use for the part
    assert not allowed(scope, "US", item=image, purpose=Purpose.TRAIN_GENAI_IMAGE)
    assert allowed(scope, "US", item=image, purpose=Purpose.TRAIN_GENAI_TEXT)


def test_one_model_only() -> None:
    orders = Orders()
    scope = Scope(models=frozenset({"drafts-7"}))
    orders.take(event(3, issue(scope, order="c.1", case="c", origin=Origin.BINDING_ORDER, reference="x", at_ms=1)))
    assert not orders.suspensions()
    built = (None, ["drafts-7"], ["tuned", "drafts-7"], ["other"], ["drafts-7-other"])
    assert [scope.names(ancestry) for ancestry in built] == [False, True, True, False, False]


SCOPES = st.builds(
    Scope,
    areas=st.frozensets(st.sampled_from(["UK", "EU", "CH", "US", "CA-QC"]), max_size=2),
    purposes=st.frozensets(st.sampled_from(list(Purpose)), max_size=2),
    categories=st.frozensets(st.sampled_from([POST, IMAGE]), max_size=1),
    created_from=st.none() | st.just(AT),
)


@given(st.lists(SCOPES, max_size=4), st.sampled_from(["GB", "DE", "US", "CA", "CA-QC"]), st.sampled_from([POST, IMAGE]))
def test_of_several_orders_the_union_holds(scopes: list[Scope], place: str, category: Category) -> None:
    person = Person(places=frozenset({place}), established=True, age=Age.ADULT)
    item = Item(category=category, visibility=PUBLIC, created=AT)
    request = Request(purpose=Purpose.TRAIN_GENAI, item=item, people=(person,), at=AT)
    rules = [scope.rule(f"o.{number}", why="") for number, scope in enumerate(scopes)]
    together = evaluate((PERMIT, *rules), request).allowed
    assert together == all(evaluate((PERMIT, rule), request).allowed for rule in rules)


def test_a_time_that_nobody_measured_is_said_to_be_unknown() -> None:
    orders = Orders()
    orders.take(event(3, issue(Scope(), order="c.1", case="c", origin=Origin.OWN_DECISION, reference="x", at_ms=5)))
    noted = OrderDrained(order="c.1", stopped=2, expired=0, released=0, failed=0, took_ms=None)
    assert OrderDrained.from_json(noted.to_json()) == noted
    orders.take(event(4, noted))
    (order,) = orders.of("c")
    assert order.drained is not None
    drained = order_document(order)["drained"]
    assert (drained["after_ms"], drained["at_ms"]) == (None, 1_000 * order.drained.at)
    assert drained_in_words(after_ms=None, leases=2) == "after a time that is unknown, 2 leases"
    assert drained_in_words(after_ms=None, leases=None) == "not yet"
    assert drained_in_words(after_ms=40, leases=1) == "after 0.0 s, 1 lease"


def test_what_was_said_before_jobs_were_known_to_fail_reads_as_it_did() -> None:
    document = (
        b'{"at":9,"body":{"expired":1,"order":"c.1","released":3,"stopped":2,"took_ms":40},'
        b'"type":"order.drained","v":1}'
    )
    stored = Stored(4, 9, "order.drained", 1, bytes.fromhex(digest(document).removeprefix("sha256:")), None, document)
    found = []
    for drained in (
        restore(stored),
        event(4, OrderDrained(order="c.1", stopped=2, expired=1, released=2, failed=1, took_ms=40)),
    ):
        orders = Orders()
        orders.take(event(3, issue(Scope(), order="c.1", case="c", origin=Origin.OWN_DECISION, reference="x", at_ms=5)))
        orders.take(drained)
        (order,) = orders
        assert order.drained is not None
        found.append((order.drained.failed, order_document(order)["drained"]))
    (before, told), (now, also) = found
    assert (before, now) == (0, 1)
    assert set(told) == set(also) == {"position", "after_ms", "at_ms", "jobs"}, "a report says the same of both"
    assert told["jobs"] == also["jobs"] == 6


def test_an_order_holds_until_it_ends_and_what_it_said_stays() -> None:
    orders = Orders()
    orders.take(event(3, issue(Scope(), order="c.1", case="c", origin=Origin.OWN_DECISION, reference="x", at_ms=5)))
    orders.take(event(4, OrderDrained(order="c.1", stopped=1, expired=0, released=0, failed=0, took_ms=40)))
    assert [order.order for order in orders.in_force()] == ["c.1"]
    for position, how in ((5, OrderEnd.LIFTED), (6, OrderEnd.WITHDRAWN)):
        orders.take(event(position, OrderEnded(order="c.1", case="c", how=how)))
    (order,) = orders.of("c")
    assert not orders.in_force()
    assert order.ended is not None
    assert order.drained is not None
    assert (order.ended.how, order.ended.position, order.drained.took_ms) == (OrderEnd.LIFTED, 5, 40)


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        (Scope(areas=frozenset({"UKK"})), "policy-unknown-area"),
        (Scope(created_from=AT, created_before=AT), "order-window-empty"),
    ],
)
def test_a_scope_that_nothing_can_be_in_is_refused(scope: Scope, code: str) -> None:
    with pytest.raises(ConsentryError) as caught:
        scope.check()
    assert caught.value.code == code


def test_an_order_on_models_is_said_to_reach_what_is_built_on_them() -> None:
    one, two = Scope(models=frozenset({"drafts"})), Scope(areas=frozenset({"UK"}), models=frozenset({"a", "b"}))
    assert in_words(one) == "model drafts and what is built on it"
    assert in_words(two) == "UK; models a, b and what is built on them"
    order = Orders()
    order.take(event(0, issue(one, order="c.1", case="c", origin=Origin.BINDING_ORDER, reference="x", at_ms=0)))
    (issued,) = order
    assert order_json(issued)["in_words"] == in_words(one)
    assert order_document(issued)["in_words"] == in_words(one)


def test_a_scope_in_words() -> None:
    assert in_words(Scope()) == "everything"
    assert in_words(Scope(areas=frozenset({"UK", "CH"}), categories=frozenset({POST}))) == "CH, UK; post"
    first, end = instant("2024-05-07"), instant("2024-08-02")
    assert in_words(Scope(created_from=first, created_before=end)) == "created from 2024-05-07, before 2024-08-02"
    assert in_words(Scope(created_from=first)) == "created from 2024-05-07"
    assert in_words(Scope(created_before=end + 1)) == "created before 2024-08-02 00:00:01 UTC"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=12), st.integers(0, 40))
def test_orders_are_found_as_by_looking_at_all_of_them(history: list[tuple[str, bool, bool]], sealed: int) -> None:
    orders, position, counts = Orders(), 0, dict.fromkeys("abc", 0)
    for case, ends, lifted in history:
        counts[case] += 1
        name = f"{case}.{counts[case]}"
        issued = issue(
            Scope(areas=frozenset({"GB"})), order=name, case=case, origin=Origin.OWN_DECISION, reference="r", at_ms=0
        )
        how = OrderEnd.LIFTED if lifted else OrderEnd.WITHDRAWN
        said: list[Body] = [issued, *([OrderEnded(order=name, case=case, how=how)] if ends else [])]
        for body in said:
            orders.take(event(position, body))
            position += 1
    every = list(orders)
    assert orders.in_force() == tuple(each for each in every if each.ended is None)
    assert orders.after(sealed) == tuple(each for each in every if each.position > sealed)
    for case in "abc":
        assert orders.of(case) == tuple(each for each in every if each.case == case)
    may = set(orders.that_may_bar(sealed))
    assert {each for each in every if each.bars(sealed) or each.position > sealed} <= may
    assert list(orders.that_may_bar(sealed)) == [each for each in every if each in may]
