"""Making a record of evidence again: the same unit of work on the same files and set, and whether it comes out so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph.artifacts import Artifact
from graph.attempts import stale_reasons
from graph.claims import Evidence
from graph.errors import EvidenceError, InputError
from graph.events import now_us
from graph.home import Home
from graph.store.catalogue import artifacts_by_id
from graph.store.evidence import all_evidence, append_evidence, find_evidence
from inference.ground import Ground, Shelf
from inference.judging.conclude import conclude
from inference.judging.stated import TIMED
from inference.models.digests import FileDigests
from inference.probes import PROBES
from inference.sandbox.layers import switched_off
from inference.sandbox.zygote import Zygote
from inference.work.attempts import as_attempt
from inference.work.executor import VerifyOptions, check_options, open_sets, trusted_now
from inference.work.machine import machine
from inference.work.present import present
from inference.work.records import evidence_of, observations_of_files, observations_of_unit, sealed
from inference.work.settle import Settled, settle
from inference.work.units import Unit, plan_units, result_of, run_unit

_OPPOSITE = frozenset({"verified", "refuted"})
_TIMES = TIMED | {"peak_memory_bytes"}
_UNITS_OF_TIME = frozenset({"seconds", "items_per_second", "tokens_per_second"})


@dataclass(frozen=True)
class Reproduction:
    """A record, the same made again now, whether they agree, and in which versions the two differ."""

    record: Evidence
    again: Evidence
    agrees: bool
    reason: str
    differences: tuple[str, ...]


def reproduce(home: Home, evidence: str, options: VerifyOptions) -> Reproduction:
    """A record of evidence made again, and kept as a further attempt.

    The whole unit of work is run anew, whatever is finished: same files, same set, same settings and seed. It agrees
    if the verdict is the same; where time or memory was measured, unless one verified and the other refuted. An
    attempt that comes out the opposite way leaves the claim inconclusive from then on.

    Parameters
    ----------
    home : Home
        Where the record is kept.
    evidence : str
        Its id, `ev_…`.
    options : VerifyOptions
        Labelled sets (the record's own has to be among them where it was declared by the operator), device, trust.

    Raises
    ------
    EvidenceError
        There is no such record, or it cannot be made again: the files have changed, or nothing decides it any more.
    InputError
        The labelled set of the record is not given, or has another content.
    """
    check_options(options)
    with home.store.reading() as connection:
        record = find_evidence(connection, evidence)
        artifact = artifacts_by_id(connection, [record.artifact]).get(record.artifact)
    if artifact is None:
        raise EvidenceError(f"evidence {evidence}: its artifact {record.artifact} is not in the catalogue any more")
    settled = _settled(home, artifact, record, options)
    again = _checked(settled, record) or _run_again(settled, record, options, switched_off(home.settings.sandbox))
    agrees, reason = _compared(record, again)
    differences = stale_reasons(record, present())
    again = _kept(home, record, again)
    return Reproduction(record, again, agrees, reason, differences)


def _settled(home: Home, artifact: Artifact, record: Evidence, options: VerifyOptions) -> Settled:
    """What is known of the artifact now, after making sure that files and set are those of the record."""
    shelf = Shelf(open_sets(options))
    if record.data is not None:
        data = shelf.named(record.data.name)
        if data is None:
            what = f"evidence {record.id}: it was made on the labelled set {record.data.name}"
            raise InputError(f"{what}: give --data {record.data.name}=PATH")
        if data.digest != record.data.digest:
            what = f"labelled set {record.data.name}: its content is not that of the record"
            raise InputError(f"{what} ({data.digest[:12]} now, {record.data.digest[:12]} then): give the same file")
    settled = settle(
        artifact, trusted_now(home, options.trust), shelf, FileDigests(home.path / "digests.json"), options.device,
        switched_off(home.settings.sandbox),
    )  # fmt: skip
    model = settled.ground.model
    if record.model is not None and (model is None or model.digest != record.model.digest):
        now = "are not at hand" if model is None else "have changed since"
        raise EvidenceError(f"evidence {record.id}: the model's files {now}: verify the artifact anew")
    return settled


def _checked(settled: Settled, record: Evidence) -> Evidence | None:
    """The record again where no run is needed for it; None where one is."""
    now = now_us()
    for claim, finding in settled.findings:
        if claim.id == record.claim:
            return evidence_of(claim, finding, settled.ground, None, now)
    if record.kind == "observation":
        return _same_observation(record, observations_of_files(settled.ground, now))
    return None


def _run_again(settled: Settled, record: Evidence, options: VerifyOptions, without: frozenset[str]) -> Evidence:
    interval = record.interval
    level = interval.level if interval is not None and 0.5 <= interval.level < 1 else options.level
    unit = _unit(settled, record, options.device, level)
    with (
        Zygote(sorted(PROBES[unit.probe].info.modules), device=unit.device, without=without) as zygote,
        machine(alone=unit.alone, is_over=lambda: False),
    ):
        result = result_of(unit, run_unit(zygote, unit, options.unit_timeout_s))
    now = now_us()
    for claim in unit.claims:
        if claim.id == record.claim:
            return evidence_of(claim, conclude(claim, unit.ground, result), unit.ground, result, now)
    found = _same_observation(record, observations_of_unit(unit.ground, result, now))
    if found is None:
        what = result.what or "the run no longer measures it in this scope"
        raise EvidenceError(f"evidence {record.id}: {record.metric} was not measured again: {what}")
    return found


def _unit(settled: Settled, record: Evidence, device: str, level: float) -> Unit:
    """The unit of work that the record came from."""
    ground: Ground = settled.ground
    if not ground.runnable and ground.subject.tier == "artifact":
        code, why = ground.problem or ("unsafe_refused", "it may not be run here")
        raise EvidenceError(f"evidence {record.id}: the model cannot be run now ({code}): {why}")
    digest = record.data.digest if record.data is not None else None
    units = [unit for unit in plan_units(ground, settled.waiting, device, level) if unit.probe == record.method]
    units = [unit for unit in units if (unit.data.digest if unit.data is not None else None) == digest]
    exact = [unit for unit in units if unit.id == record.unit_id]
    about = [unit for unit in units if any(claim.id == record.claim for claim in unit.claims)]
    for candidates in (exact, about, units if record.claim is None else []):
        if candidates:
            return candidates[0]
    raise EvidenceError(f"evidence {record.id}: no probe decides it any more: verify the artifact anew")


def _same_observation(record: Evidence, observed: Sequence[Evidence]) -> Evidence | None:
    """The observation of the same metric in the same scope; None where there is none."""
    return next((one for one in observed if (one.metric, one.scope) == (record.metric, record.scope)), None)


def _compared(record: Evidence, again: Evidence) -> tuple[bool, str]:
    """Whether two records agree, and in one line why."""
    timed = record.metric in _TIMES or record.unit in _UNITS_OF_TIME
    if record.verdict is not None:
        verdicts = (record.verdict, again.verdict)
        agrees = record.verdict == again.verdict or (timed and set(verdicts) != _OPPOSITE)
        return agrees, f"{_told(record)} then, {_told(again)} now"
    if timed:
        return True, f"{_plain(record)} then, {_plain(again)} now: time and memory differ from run to run"
    agrees = record.measured == again.measured
    return agrees, f"{_plain(record)} then, {_plain(again)} now"


def _told(record: Evidence) -> str:
    code = f" ({record.reason_code})" if record.reason_code else ""
    return f"{record.verdict}{code}" + (f", measured {_plain(record)}" if record.measured is not None else "")


def _plain(record: Evidence) -> str:
    """What was measured, for people: at most four decimals."""
    value = record.measured
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _kept(home: Home, record: Evidence, again: Evidence) -> Evidence:
    """The new attempt, sealed and appended; with the record that says so where it is the opposite of the first."""
    with home.store.writing() as connection:
        earlier = [other for other in all_evidence(connection, record.artifact) if other.claim == record.claim]
        if record.claim is None:
            fresh = [sealed(again.model_copy(update={"attempt": 2}))]
        else:
            fresh = as_attempt(again, earlier)
        append_evidence(connection, fresh)
    return fresh[0]
