"""Rate control without an encoder: made-up curves and responses stand for what it would reach."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from featcodec.coding.row_group import FINE_ONE, FINE_PER_OCTAVE
from featcodec.encoding.choice import Choice, Picture, Quantiser
from featcodec.encoding.rate_control import rate
from featcodec.encoding.rate_control.bracket import Bracket
from featcodec.encoding.rate_control.fine_step import (
    FINE_MOST,
    MOST_AGAIN,
    MOST_CHANGED,
    RESPONSE,
    ErrorBudget,
    Foreseen,
)
from featcodec.encoding.rate_control.rate import at_rate
from featcodec.encoding.rate_control.snr import AIM, ATTEMPTS, OCTAVE, STEPS, TOLERANCE, SnrControl
from featcodec.encoding.report import Report
from featcodec.errors import Unreachable

Curve = Callable[[float], float]
SLOPES = (0.1, 3.0)  # that a bracket believes, and that curves mostly have
REACH = 3.0
ROUNDS = 24  # that take any bracket to a hundredth


# ---- Curves --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Monotone:
    """A curve of straight pieces, with jumps between them; it goes on as it ends."""

    knots: tuple[float, ...]
    slopes: tuple[float, ...]  # of each piece, one more than knots; 0: flat
    jumps: tuple[float, ...]  # at each knot
    sign: int = 1

    def __call__(self, x: float) -> float:
        ends = [-math.inf, *self.knots, math.inf]
        inside = [max(min(x, b), a) for a, b in itertools.pairwise(ends)]
        starts = [self.knots[0], *self.knots]
        climbed = sum(m * (u - a) for m, u, a in zip(self.slopes, inside, starts, strict=True))
        jumped = sum(jump for knot, jump in zip(self.knots, self.jumps, strict=True) if x >= knot)
        return self.sign * (climbed + jumped)


@st.composite
def curves(draw: st.DrawFn, jumps: bool = False, flat: bool = False) -> Monotone:
    knots = sorted(draw(st.lists(st.floats(-6, 6), min_size=1, max_size=6, unique=True)))
    slope = st.floats(*SLOPES)
    inner = st.one_of(slope, st.just(0.0)) if flat else slope
    slopes = [draw(slope), *(draw(inner) for _ in knots[1:]), draw(slope)]
    leap = st.one_of(st.just(0.0), st.floats(0.1, 9)) if jumps else st.just(0.0)
    leaps = [draw(leap) for _ in knots]
    return Monotone(tuple(knots), tuple(slopes), tuple(leaps), draw(st.sampled_from([-1, 1])))


def found(curve: Monotone, goal: float, starts: list[float], seen: Curve = lambda y: y) -> bool:
    """Return whether the goal is met, or the bracket all but closed, within ROUNDS."""
    bracket = Bracket(goal, 1.0 * curve.sign, SLOPES, REACH)
    tries = list(starts)
    for _ in range(ROUNDS):
        x = tries.pop(0) if tries else bracket.next()
        bracket.add(x, seen(curve(x)))
        if abs(curve(x) - goal) < 1e-2 or bracket.width < 1e-2:
            return True
    return False


@given(curves(jumps=True), st.floats(-6, 6), st.floats(-6, 6))
@settings(max_examples=300)
def test_a_bracket_finds_where_a_curve_of_believed_slopes_crosses_the_goal(
    curve: Monotone, root: float, start: float
) -> None:
    assert found(curve, curve(root), [start])


@given(curves(jumps=True, flat=True), st.floats(-6, 6), st.data())
@settings(max_examples=300)
def test_between_two_ends_no_jump_and_no_flat_part_holds_it_up(
    curve: Monotone, root: float, data: st.DataObject
) -> None:
    ends = [root - data.draw(st.floats(0.1, 12)), root + data.draw(st.floats(0.1, 12))]
    assert found(curve, curve(root), ends)


@given(curves(), st.floats(-6, 6), st.floats(-6, 6), st.floats(1e-3, 1), st.integers(0, 99))
def test_noise_costs_no_more_than_its_size(
    curve: Monotone, root: float, start: float, size: float, seed: int
) -> None:
    rng, goal = np.random.default_rng(seed), curve(root)
    bracket = Bracket(goal, 1.0 * curve.sign, SLOPES, REACH)
    x = start
    for _ in range(ROUNDS):
        bracket.add(x, curve(x) + rng.uniform(-size, size))
        x = bracket.next()
    assert abs(curve(x) - goal) < size + 1e-2


@given(curves(jumps=True, flat=True), st.floats(-6, 6), st.lists(st.floats(-9, 9), min_size=1))
def test_the_next_point_lies_between_the_ends_or_a_believable_way_towards_the_goal(
    curve: Monotone, root: float, tried: list[float]
) -> None:
    goal = curve(root)
    bracket = Bracket(goal, 1.0 * curve.sign, SLOPES, REACH)
    for x in tried:
        bracket.add(x, curve(x))
    low, high, x = bracket.low, bracket.high, bracket.next()
    if low and high:
        share = (x - low[0]) / (high[0] - low[0])
        assert bracket.margin - 1e-9 <= share <= 1 - bracket.margin + 1e-9
        assert low[1] < goal <= high[1]
        assert not any(min(low[0], high[0]) < x < max(low[0], high[0]) for x in tried)
    else:
        last, y = bracket.points[-1]
        way = (x - last) * curve.sign * math.copysign(1, goal - y)
        gap = abs(goal - y)
        assert min(gap / SLOPES[1], REACH) - 1e-9 <= way <= min(gap / SLOPES[0], REACH) + 1e-9


@given(curves(jumps=True), st.floats(-6, 6), st.floats(-6, 6), st.floats(0.1, 9))
def test_what_is_infinite_far_above_the_goal_is_no_hindrance(
    curve: Monotone, root: float, start: float, far: float
) -> None:
    goal = curve(root)
    assert found(curve, goal, [start], lambda y: math.inf if y > goal + far else y)


# ---- The SNR of a group --------------------------------------------------------------------------


@dataclass(frozen=True)
class Response:
    """The SNR of row groups: a falling curve of the logarithm of their step, less lambda's part.

    Later row groups make up for earlier ones: the mean step comes so much nearer to `wanted`.
    """

    curve: Monotone
    by_lambda: float  # dB
    wanted: float = 0.0  # logarithm of a step
    feedback: float = 0.0  # octaves

    def mean_step(self, step: float) -> float:
        way = self.feedback * math.log(2)
        return step * math.exp(min(max(self.wanted - math.log(step), -way), way))

    def snr(self, quantiser: Quantiser) -> float:
        at_one = self.curve(math.log(self.mean_step(quantiser.step)))
        return at_one - self.by_lambda * (quantiser.lambda_scale - 1)


def choice(step: float, on_saturation: bool = False, largest: float | None = None) -> Choice:
    """A choice that is only a step; with the largest step of a network, one with a picture."""
    network: Any = SimpleNamespace(weights=SimpleNamespace(largest_step=largest))
    nothing: Any = None
    return Choice(
        *(nothing, nothing, {}, ()),
        Quantiser(step, 0, on_saturation=on_saturation),
        *(False, False, "float32"),
        picture=None if largest is None else Picture(network),
    )


def written(first: Choice, snr: float, response: Response) -> tuple[bool, list[Quantiser]]:
    """Write as a group is written: whether the last that was tried is accepted, and all."""
    control, tried = SnrControl(first, snr), list[Quantiser]()
    following: Choice | None = first
    while following is not None:
        quantiser = following.quantiser
        tried.append(quantiser)
        reached = response.snr(quantiser)
        if control.accepts(reached):
            return True, tried
        following = control.next(reached, response.mean_step(quantiser.step))
    return False, tried


def falling(draw: st.DrawFn, slopes: st.SearchStrategy, jumps: st.SearchStrategy) -> Monotone:
    knots = draw(st.lists(st.floats(-6, 6), min_size=1, max_size=4, unique=True))
    pieces = [draw(slopes) for _ in range(len(knots) + 1)]
    return Monotone(tuple(sorted(knots)), tuple(pieces), tuple(draw(jumps) for _ in knots), -1)


@st.composite
def smooth(draw: st.DrawFn) -> Response:
    curve = falling(draw, st.floats(OCTAVE / 10, 1.5 * OCTAVE), st.just(0.0))
    feedback = draw(st.floats(0, FINE_MOST / FINE_PER_OCTAVE))
    return Response(curve, draw(st.floats(0.3, 5)), draw(st.floats(-6, 6)), feedback)


@st.composite
def any_response(draw: st.DrawFn) -> Response:
    curve = falling(draw, st.floats(0, 2 * OCTAVE), st.floats(0, 20))
    return Response(curve, draw(st.floats(0, 9)), draw(st.floats(-6, 6)))


@given(smooth(), st.floats(-1, 1), st.sampled_from([None, 1e9]))
@settings(max_examples=300)
def test_the_step_meets_an_snr_that_follows_it(
    response: Response, off: float, largest: float | None
) -> None:
    """From a first step that is wrong by a factor of e at most, with and without a network."""
    snr = response.curve(response.wanted) - AIM
    accepted, tried = written(
        choice(math.exp(response.wanted + off), False, largest), snr, response
    )
    assert accepted
    assert snr <= response.snr(tried[-1]) <= snr + TOLERANCE
    assert len(tried) <= 10


@given(any_response(), st.floats(-3, 3), st.booleans(), st.floats(-20, 20))
@settings(max_examples=500)
def test_what_is_written_meets_the_snr_as_no_other_that_was_tried(
    response: Response, off: float, on_saturation: bool, more: float
) -> None:
    """Whatever the response; where nothing meets it, steps grow finer until attempts end."""
    snr = response.curve(response.wanted) + more
    accepted, tried = written(choice(math.exp(response.wanted + off), on_saturation), snr, response)
    reached = [response.snr(quantiser) for quantiser in tried]
    assert len(tried) <= ATTEMPTS
    if accepted:
        assert reached[-1] == min(y for y in reached if y >= snr)
    else:
        steps = [quantiser.step for quantiser in tried]
        assert len(tried) == ATTEMPTS and max(reached) < snr
        assert all(b < a for a, b in itertools.pairwise(steps[STEPS - 1 :]))
        assert steps == sorted(steps, reverse=True)


@given(any_response(), st.floats(0.3, 5), st.floats(-1.5, 0.25))
@settings(max_examples=300)
def test_a_step_on_the_saturation_value_stays_where_lambda_meets_the_snr(
    response: Response, by_lambda: float, lambdas: float
) -> None:
    response = replace(response, by_lambda=by_lambda)
    first = choice(math.exp(response.wanted), on_saturation=True)
    snr = response.snr(first.quantiser) + lambdas * by_lambda
    accepted, tried = written(first, snr, response)
    assert accepted
    assert {(quantiser.step, quantiser.on_saturation) for quantiser in tried} == {
        (first.quantiser.step, True)
    }
    assert snr <= response.snr(tried[-1]) <= snr + TOLERANCE


@given(any_response(), st.floats(0, 99), st.floats(1, 9))
def test_the_coarsest_step_of_a_network_is_accepted_however_good_it_is(
    response: Response, better: float, wider: float
) -> None:
    coarsest = choice(wider, largest=1.0)
    snr = response.snr(coarsest.quantiser) - better
    assert written(coarsest, snr, response) == (True, [coarsest.quantiser])


# ---- The rate of a file --------------------------------------------------------------------------


@dataclass
class Encoder:
    """Stands for one whose files take bits a value by a rising curve of the SNR."""

    curve: Curve
    most: float = math.inf  # that they take bit for bit
    tried: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, snr: float) -> Report:
        bits = min(self.curve(snr), self.most)
        self.tried.append((snr, bits))
        reached = math.inf if bits == self.most else snr
        return Report(0, round(bits * 1e6 / 8), 10**6, reached)


def bits_by(slopes: list[float], least: float) -> Curve:
    """Bits a value: `least` at 0 dB, and more with slopes that change each 15 dB."""
    curve = Monotone(tuple(15.0 * i for i in range(1, len(slopes))), tuple(slopes), (0.0,) * 3)
    lowest = curve(0.0)
    return lambda snr: least + curve(snr) - lowest


RATES = st.lists(st.floats(0.05, 0.5), min_size=4, max_size=4)


@given(RATES, st.floats(0, 0.2), st.floats(0.5, 9))
@settings(max_examples=300)
def test_a_rate_is_kept_and_used_up(slopes: list[float], least: float, wanted: float) -> None:
    encode = Encoder(bits_by(slopes, least))
    report = at_rate(encode, wanted)
    assert (1 - rate.WITHIN) * wanted - 1e-5 <= report.bpfp <= wanted
    assert not report.remarks
    assert len(encode.tried) <= rate.ATTEMPTS + 1


@given(RATES, st.floats(2, 40), st.floats(0.5, 5), st.floats(0.05, 0.9))
def test_where_rates_leap_over_the_wanted_one_the_highest_below_is_written(
    slopes: list[float], where: float, leap: float, share: float
) -> None:
    below = bits_by(slopes, 0.1)
    wanted = below(where) + share * leap
    assume(below(where) < (1 - rate.WITHIN) * wanted)
    encode = Encoder(lambda snr: below(snr) + leap * (snr >= where))
    report = at_rate(encode, wanted)
    assert report.snr_db == max(snr for snr, bits in encode.tried if bits <= wanted)
    assert where - 1 < report.snr_db < where
    (remark,) = report.remarks
    after = min(bits for _, bits in encode.tried if bits > wanted)
    assert f"of {wanted:g} bpfp {report.bpfp:.3g} are used" in remark
    taken = float(remark.split("takes ")[1].split(" bpfp,")[0])
    assert after - 1e-9 <= taken <= 1.011 * after  # three digits, and never too few bits


@given(RATES, st.floats(0.1, 5), st.floats(1.03, 9))
def test_what_is_bit_for_bit_already_takes_no_more(
    slopes: list[float], most: float, times: float
) -> None:
    encode = Encoder(bits_by(slopes, 0.0), most)
    assert math.isinf(at_rate(encode, most * times).snr_db)


@given(RATES, st.floats(0.1, 3), st.floats(0.5, 0.95))
def test_a_rate_below_any_is_refused_with_the_least_that_was_found(
    slopes: list[float], least: float, share: float
) -> None:
    encode = Encoder(bits_by(slopes, least))
    with pytest.raises(Unreachable, match=f"{share * least:g} bpfp cannot be reached") as refused:
        at_rate(encode, share * least)
    lowest, bits = min(encode.tried)
    assert f"at {lowest:.2f} dB the file still takes {rate.said(bits)};" in str(refused.value)
    assert bits < 1.1 * least + 0.1


@given(st.floats(1e-6, 1e9))
def test_a_rate_is_said_in_three_digits_that_are_enough(bits: float) -> None:
    text, unit = rate.said(bits).split()
    assert unit == "bpfp" and "e" not in text
    assert bits * (1 - 1e-9) <= float(text.replace(",", "")) <= 1.0101 * bits


def test_a_file_without_loss_at_any_rate_is_said_to_be_one() -> None:
    def encode(snr: float) -> Report:
        return Report(0, 156, 1, math.inf)

    with pytest.raises(Unreachable, match=r"bit for bit, as at any SNR, .* takes 1,248 bpfp;"):
        at_rate(encode, 300)


# ---- The steps of row groups ---------------------------------------------------------------------


def spend(budget: ErrorBudget, errors: Sequence[float]) -> float:
    """Return the share of a budget that is spent by row groups that err so at one step."""
    for number in range(len(errors) + budget.ahead - 1):
        if number < len(errors):
            assert abs(budget.next() - FINE_ONE) <= FINE_MOST
        done = number - budget.ahead + 1
        if done >= 0:
            octaves = (budget.fines[done] - FINE_ONE) / FINE_PER_OCTAVE
            budget.add(errors[done] * 2 ** (RESPONSE * octaves))
    return sum(budget.errors) / budget.budget


@given(st.lists(st.floats(0.94, 1.06), min_size=8, max_size=40), st.floats(-0.03, 0.03))
def test_row_groups_make_up_for_what_earlier_ones_missed(
    errors: list[float], missed: float
) -> None:
    """All keep the budget but for what the last one is off by, and half a fine step of it."""
    count, last = len(errors), errors[-1]
    budget = ErrorBudget(count * (1 + missed), np.ones(count))
    spent = spend(budget, errors)
    off = max(abs(last / error - 1) for error in errors) / count
    assert abs(spent - 1) < 2 * off + 0.004


@given(st.floats(0.5, 2), st.integers(16, 60), st.integers(0, 99), st.floats(-0.03, 0.03))
def test_a_dump_that_drifts_keeps_the_budget(
    times: float, count: int, seed: int, missed: float
) -> None:
    """Its row groups have one step, about: none has the error of the others."""
    errors = np.linspace(1, times, count) * np.random.default_rng(seed).uniform(0.98, 1.02, count)
    budget = ErrorBudget(float(errors.sum()) * (1 + missed), np.ones(count))
    assert abs(spend(budget, errors.tolist()) - 1) < 0.01
    again = ErrorBudget(budget.budget, budget.slabs, budget.at_one_step)
    assert abs(spend(again, errors.tolist()) - 1) < 0.003
    if not missed:
        assert max(again.fines) - min(again.fines) <= 1


@given(st.floats(0.5, 2), st.integers(2, 16), st.integers(8, 20), st.integers(0, 99))
def test_row_groups_that_are_coded_at_once_keep_the_budget(
    times: float, ahead: int, waves: int, seed: int
) -> None:
    """What is known before it is looked at changes no step."""
    count = ahead * waves
    errors = np.linspace(1, times, count) * np.random.default_rng(seed).uniform(0.98, 1.02, count)
    budget = ErrorBudget(float(errors.sum()), np.ones(count), ahead=ahead)
    assert abs(spend(budget, errors.tolist()) - 1) < 0.01
    again = replace(budget, errors=[], fines=[])
    for error in budget.errors:
        again.next()
        again.add(error)
    assert again.fines == budget.fines


@given(st.floats(0.1, 9), st.integers(1, 19), st.integers(104, 152))
def test_a_budget_that_is_kept_changes_no_step(whole: float, done: int, usual: int) -> None:
    budget = ErrorBudget(whole, np.ones(20))
    for _ in range(done):
        budget.fines.append(usual)
        budget.add(whole / 20)
    assert budget.next() == usual


@given(st.floats(0.1, 3), st.floats(0.1, 3), st.integers(1, 19), st.integers(104, 152))
def test_the_more_is_spent_the_finer_is_the_next_step(
    one: float, other: float, done: int, usual: int
) -> None:
    fines = []
    for spent in sorted((one, other)):
        budget = ErrorBudget(1.0, np.ones(20))
        for _ in range(done):
            budget.fines.append(usual)
            budget.add(spent / done)
        fines.append(budget.next())
    assert fines[0] >= fines[1]


@given(st.floats(0.3, 3), st.integers(16, 60), st.floats(-0.02, 0.02), st.integers(0, 99))
def test_where_samples_say_that_the_step_fits_steps_stay_near_it(
    times: float, count: int, missed: float, seed: int
) -> None:
    """A dump that drifts is not coded finer at first because its first rows err less."""
    errors = np.linspace(1, times, count) * np.random.default_rng(seed).uniform(0.98, 1.02, count)
    whole = float(errors.sum()) * (1 + missed)
    budget = ErrorBudget(whole, np.ones(count), sampled=True)
    assert abs(spend(budget, errors.tolist()) - 1) < 0.02
    early = budget.fines[: count // 4]
    assert max(abs(fine - FINE_ONE) for fine in early) <= 8


@given(st.integers(8, 99), st.floats(0.97, 1.03), st.integers(0, 99))
def test_the_last_row_groups_can_come_again_to_meet_a_budget(
    count: int, times: float, seed: int
) -> None:
    errors = np.random.default_rng(seed).uniform(0.9, 1.1, count).tolist()
    budget = ErrorBudget(math.inf, np.ones(count))
    spend(budget, errors)
    aim = times * sum(errors)
    again = budget.again(aim)
    if again is None:
        tail = sum(errors[-round(0.25 * count) :][-MOST_AGAIN:])
        nothing = abs(aim - sum(errors)) < min(errors) / 50
        assert nothing or abs(aim - sum(errors)) > 0.09 * tail  # 24 fine steps
        return
    before = abs(aim - sum(errors))
    for fine, error in zip(budget.forget(*again), errors[-again[0] :], strict=True):
        assert abs(fine - FINE_ONE) <= MOST_CHANGED
        budget.add(error * 2 ** (RESPONSE * (fine - FINE_ONE) / FINE_PER_OCTAVE))
    assert len(budget.errors) == count
    assert abs(aim - sum(budget.errors)) <= max(before / 4, 0.01 * again[0])


@given(st.integers(8, 64), st.integers(8, 50), st.floats(2, 9))
def test_what_samples_foresee_is_what_parts_err_by(parts: int, count: int, times: float) -> None:
    """Unless they hardly differ; then all row groups are as their lengths."""
    slabs = 1000
    edges = np.linspace(0, slabs, parts + 1)
    starts = range(0, slabs, -(-slabs // count))
    lengths = np.diff([*starts, slabs])
    rising = np.diff(edges) * np.where(edges[:-1] >= slabs / 2, times, 1.0)
    found = Foreseen(edges, rising).of(starts, slabs)
    assert found.sum() == pytest.approx(slabs, rel=0.05)
    assert found[-1] / lengths[-1] > found[0] / lengths[0]
    even = Foreseen(edges, np.diff(edges) * 1.05).of(starts, slabs)
    assert (even == lengths).all()
