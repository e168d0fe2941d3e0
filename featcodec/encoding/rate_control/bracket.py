"""The one root finder: where a monotone curve crosses a goal."""

import math
from dataclasses import dataclass, field


@dataclass
class Bracket:
    """Brackets the x at which a monotone curve y(x) crosses a goal, from the points tried so far.

    Between two points on both sides of the goal the next x lies on their line (regula falsi), and
    in the middle when the last ones fell on one side and hardly narrowed the bracket. With all
    points on one side, it lies on the line through the last two, whose slope is kept in limits.

    >>> curve = Bracket(goal=4.0, slope=2.0, slopes=(0.5, 8.0), reach=3.0)
    >>> x = 1.0
    >>> for _ in range(8):
    ...     curve.add(x, x * x)
    ...     x = curve.next()
    >>> round(x, 3)
    2.0
    """

    goal: float
    slope: float  # dy/dx as it usually is; its sign is that of the curve
    slopes: tuple[float, float]  # least and largest magnitude of a slope that is believed
    reach: float  # the farthest step beyond what was tried
    margin: float = 0.1  # share of the bracket that is kept from its ends
    points: list[tuple[float, float]] = field(default_factory=list)
    _width: float = math.inf

    def add(self, x: float, y: float) -> None:
        """Take in a point of the curve."""
        self._width = self.width
        self.points.append((x, y))

    @property
    def low(self) -> tuple[float, float] | None:
        """The point nearest to the goal among those whose y is below it."""
        below = [point for point in self.points if point[1] < self.goal]
        return max(below, key=self._rank, default=None)

    @property
    def high(self) -> tuple[float, float] | None:
        """The point nearest to the goal among those whose y has reached it."""
        above = [point for point in self.points if point[1] >= self.goal]
        return min(above, key=self._rank, default=None)

    @property
    def width(self) -> float:
        """How far apart the ends of the bracket are; infinite while there is none."""
        low, high = self.low, self.high
        return abs(low[0] - high[0]) if low and high else math.inf

    def next(self) -> float:
        """Return the x to try next."""
        low, high = self.low, self.high
        if low and high:
            share = (self.goal - low[1]) / (high[1] - low[1])
            if self._stuck() or not math.isfinite(share):
                share = 0.5
            share = min(max(share, self.margin), 1 - self.margin)
            return low[0] + share * (high[0] - low[0])
        x, y = self.points[-1]
        change = (self.goal - y) / self._slope()
        return x + min(max(change, -self.reach), self.reach)

    def _stuck(self) -> bool:
        """Whether the last two points fell on one side and left more than half of the bracket."""
        sides = [y < self.goal for _, y in self.points[-2:]]
        return sides[0] == sides[-1] and self.width > self._width / 2

    def _slope(self) -> float:
        slope = abs(self.slope)
        if len(self.points) > 1:
            (x, y), (last_x, last_y) = self.points[-2:]
            if x != last_x and math.isfinite(y) and math.isfinite(last_y):
                slope = (last_y - y) / (last_x - x) * math.copysign(1, self.slope)
        slope = min(max(slope, self.slopes[0]), self.slopes[1])
        return math.copysign(slope, self.slope)

    def _rank(self, point: tuple[float, float]) -> tuple[float, float]:
        """Order points along the curve, by x where it rises."""
        return math.copysign(1, self.slope) * point[0], point[1]
