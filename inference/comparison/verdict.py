"""The sentence that follows from a comparison's numbers: who is ahead, or who cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

from graph.model_comparison import ComparedPair
from inference.comparison.statistics import Answers, gap_of, is_ahead, leaders
from inference.verdicts.intervals import proportion_interval


def decide_winner(
    answers: Sequence[Answers], pairs: Sequence[ComparedPair], chance: float | None
) -> tuple[str | None, str]:
    """The winner, or None, and the sentence about it.

    A model wins only if its simultaneous interval excludes 0 against every other, and, where answers are right or
    wrong, only if it is better than guessing.

    Parameters
    ----------
    answers : sequence of Answers
        The models that answered, in the order given.
    pairs : sequence of ComparedPair
        All their pairs.
    chance : float or None
        Share, 0..1, that guessing gets right; None where nothing can be guessed.
    """
    if not answers:
        return None, "no winner: no model could be measured"
    ahead = leaders(answers, pairs)
    best = next(model for model in answers if model.name == ahead[0])
    n = len(best.right) or len(best.losses)
    if best.right and chance is not None and not _above(best, chance):
        return None, f"no winner: no model is better than guessing ({100 * chance:.2f} %) on {n} items"
    if len(answers) == 1:
        return None, f"no winner: only {best.name} could be measured ({_score(best)} on {n} items)"
    if len(ahead) > 1:
        return None, _undecided(answers, pairs, ahead, n)
    rivals = sorted((model for model in answers if model is not best), key=lambda model: (-model.merit, model.name))
    gap, interval = gap_of(pairs, best.name, rivals[0].name)
    low, high = sorted((abs(interval.low), abs(interval.high)))
    unit = " points" if best.right else ""
    also = " and ahead of every other" if len(rivals) > 1 else ""
    return best.name, (
        f"{best.name} is ahead: {_score(best)} on {n} items, {abs(gap):.2f}{unit} better than {rivals[0].name} "
        f"[{low:.2f}, {high:.2f}]{also}"
    )


def _undecided(answers: Sequence[Answers], pairs: Sequence[ComparedPair], ahead: Sequence[str], n: int) -> str:
    """The sentence about models that cannot be told apart; ties are named, and who is behind the best."""
    by_name = {model.name: model for model in answers}
    best, second = by_name[ahead[0]], by_name[ahead[1]]
    unit = " points" if best.right else ""
    gap, interval = gap_of(pairs, best.name, second.name)
    tied = [name for name in ahead if by_name[name].score == best.score]
    said = f"no winner: {_listed(ahead)} cannot be told apart on {n} items"
    if len(tied) > 1:
        said += f"; {_listed(tied)} tie at {_score(best)}"
    else:
        said += f" ({best.name} to {second.name}: {abs(gap):.2f}{unit}, "
        said += f"interval {_turned(interval.low, interval.high, best)}"
        found = next(pair.detectable for pair in pairs if {pair.first, pair.second} == {best.name, second.name})
        said += f"; {found:.2f}{unit} could have been found)" if found is not None else "; too few items to find any)"
    more = bool(best.right)
    behind = sorted(set(by_name) - set(ahead))
    lost = [name for name in behind if is_ahead(pairs, best.name, name, more_is_better=more)]
    return f"{said}; {_listed(lost)} {'is' if len(lost) == 1 else 'are'} behind {best.name}" if lost else said


def _turned(low: float, high: float, best: Answers) -> str:
    """The interval of how much better the best is, whichever way its metric points."""
    return f"{low:.2f} to {high:.2f}" if best.right else f"{-high:.2f} to {-low:.2f}"


def _above(model: Answers, chance: float) -> bool:
    low, _ = proportion_interval(sum(model.right), len(model.right))
    return low > chance


def _score(model: Answers) -> str:
    return f"{model.score:.2f} % right" if model.right else f"{model.score:.4g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
