"""Which attempt decides, which contradict, and what is stale."""

from __future__ import annotations

import itertools

import pytest

from graph.attempts import Present, attempts_before, contradicts, decide, stale_reasons
from graph.claims import Evidence, ModelUsed
from tests.factories import make_evidence

OLD, NEW = ModelUsed(digest="old"), ModelUsed(digest="new")


def attempt(verdict: str = "verified", **fields: object) -> Evidence:
    return make_evidence("a", verdict, claim="cl_1", **{"model": OLD, "libraries": {"torch": "2.13.0"}, **fields})


def test_no_attempt_decides_nothing() -> None:
    assert decide([]) is None
    assert decide([attempt().model_copy(update={"verdict": None})]) is None


@pytest.mark.parametrize(
    "fields", [{"method_version": "2"}, {"libraries": {"torch": "2.14.0"}}, {"model": NEW}], ids=str
)
def test_an_attempt_with_other_versions_or_weights_decides_anew(fields: dict[str, object]) -> None:
    before, again = attempt("verified"), attempt("refuted", **fields)
    assert decide([before, again]) is again
    assert not contradicts(before, again)
    assert attempts_before(again, [before]) == 0


def test_a_patch_release_decides_nothing_anew() -> None:
    before, again = attempt("verified"), attempt("refuted", libraries={"torch": "2.13.9"})
    assert decide([before, again]) is before
    assert contradicts(before, again)
    assert attempts_before(again, [before]) == 1


def test_a_failure_with_new_versions_takes_nothing_back() -> None:
    before, failed = attempt("verified"), attempt("error", reason_code="timeout", method_version="2")
    assert decide([before, failed]) is before


def test_opposite_attempts_leave_it_open_whatever_comes_later() -> None:
    first, second = attempt("verified"), attempt("refuted", measured=1.0)
    settled = attempt("inconclusive", pooled=(first.id, second.id), flags=("attempts_differ",), n=540)
    third = attempt("verified", measured=2.0, n=100_000)
    assert decide([first, second, settled, third]) is settled
    assert decide([first, second, settled, attempt("refuted", method_version="2")]) is not settled


def test_the_order_of_equal_failures_is_that_of_time() -> None:
    records = [attempt("error", reason_code=code) for code in ("timeout", "oom", "crashed")]
    for order in itertools.permutations(records):
        assert decide(order) is order[-1]


def test_what_is_stale_says_why() -> None:
    record = attempt(method="loading", method_version="1", libraries={"torch": "2.13.0", "python": "3.11.2"})
    same = Present(libraries={"torch": "2.13.1", "python": "3.11.9"}, methods={"loading": "1"})
    assert stale_reasons(record, same, "old") == ()
    assert stale_reasons(record, Present()) == ()
    other = Present(libraries={"torch": "2.14.0"}, methods={"loading": "2"})
    assert stale_reasons(record, other, "new") == (
        "loading is version 2 now, was 1",
        "the model's files have changed",
        "torch is 2.14.0 now, was 2.13.0",
    )
