"""Label functions whose borders are known, and what drives a search with them."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.sparse.linalg import eigs
from scipy.spatial import cKDTree

from neuroflame.border import LABELLED
from neuroflame.spec.resolved import ResolvedAxis
from neuroflame.sweep.points import DRAW, size_of
from neuroflame.sweep.search.boundary import Boundary


def ball(x):
    """Positive in a ball of radius 0.3; the distance from its border."""
    return 0.3 - np.linalg.norm(x - 0.5, axis=1)


def wedge(x):
    """Positive in a wedge that is 0.12 wide at one side and ends in a point at the other."""
    return (0.06 * x[:, 0] - np.abs(x[:, 1] - 0.45 - 0.1 * x[:, 0])) / np.sqrt(1.01)


def islands(x):
    """Positive in two balls, of radius 0.15 and 0.12."""
    return np.maximum(*(r - np.linalg.norm(x - c, axis=1) for r, c in ((0.15, 0.27), (0.12, 0.74))))


def band(x):
    """Positive in a band 0.02 wide, measured along the second axis, from side to side."""
    return 0.01 - np.abs(x[:, 1] - 0.5 - 0.2 * x[:, 0])


def line(x):
    return x[:, 0] - 0.3137


def plane(x):
    """Positive on one side of a plane askew to all axes; the distance from it."""
    normal = np.array([1.0, 0.6, 0.3, 0.8])[: x.shape[1]]
    return (x - 0.47) @ normal / np.linalg.norm(normal)


@dataclass
class Case:
    """What is searched: a function that is positive in one region, and how it is seen."""

    of: object
    d: int
    tolerance: float
    tells: bool = False  # whether the margin is told, or the label alone
    noise: float = 0.0  # width of the zone in which labels are random
    draws: int = 1
    first: int = 0  # number of the first draw

    def see(self, x, draw=None):
        """Return `LABELLED` of some places, (n, 1); noise depends on place and draw alone."""
        margin = self.of(x)
        found = np.zeros((len(x), 1), LABELLED)
        inside = margin > 0
        if self.noise:
            keys = [
                np.random.default_rng([int(v * 2**40) for v in row] + [self.first + int(k)])
                for row, k in zip(x, draw, strict=True)
            ]
            inside = np.array([key.random() for key in keys]) < 1 / (1 + np.exp(-margin / self.noise))
        found["label"][:, 0] = np.where(inside, "yes", "no")
        found["margin"][:, 0] = margin if self.tells else np.nan
        return found


CASES = {
    "one axis": Case(line, 1, 0.001),
    "circle": Case(ball, 2, 0.01),
    "circle, margin told": Case(ball, 2, 0.01, tells=True),
    "wedge": Case(wedge, 2, 0.01),
    "two islands": Case(islands, 2, 0.01),
    "sphere": Case(ball, 3, 0.03),
    "two islands in three dimensions": Case(islands, 3, 0.03),
    "plane through a cube, coarsely": Case(plane, 3, 0.05),
    "plane through a cube": Case(plane, 3, 0.03),
}
"""Borders that are known within their tolerance for a fifth of the grid's points."""
DEAR = {
    "ball in four dimensions, coarsely": Case(ball, 4, 0.1),
}
"""Those that take more: coarse tolerances in four dimensions."""
THIN = {
    "band": Case(band, 2, 0.01),
    "band, margin told": Case(band, 2, 0.01, tells=True),
}
"""A region as thin as the spacing of places around it, which is followed from side to side."""
NOISY = Case(ball, 2, 0.02, noise=0.005, draws=15)


@cache
def own_gain(graph, size=800):
    """Return the gain at which rest gives way in one graph of independent normal weights of variance 1/N.

    The inverse of the largest real part of its eigenvalues: 1 for N → ∞ (Sompolinsky, Crisanti & Sommers 1988), and
    over graphs of 800 neurons 1.00 with a standard deviation of 0.02.
    """
    matrix = np.random.default_rng([size, graph]).normal(size=(size, size)) / np.sqrt(size)
    found = eigs(matrix, k=4, which="LR", v0=np.ones(size), return_eigenvectors=False)
    return 1.0 / found.real.max()


GAINS = np.array([0.2, 0.6]), np.array([2.0, 1.0])  # low ends and ranges of J.EE and of the slope at rest
_CHAOS = np.linspace(0.0, 1.0, 2001)
_CHAOS = np.stack([(1.0 / (0.6 + _CHAOS) - 0.2) / 2.0, _CHAOS], axis=1)


def chaos(x):
    """Positive where the slope at rest times g exceeds 1: the distance from there."""
    g, slope = (GAINS[0] + x * GAINS[1]).T
    return np.where(g * slope > 1, 1, -1) * cKDTree(_CHAOS).query(x)[0]


class FiniteGraphs(Case):
    """The onset of chaos, seen in finite graphs: each has a border of its own."""

    def see(self, x, draw=None):
        """Return `LABELLED` of some places, (n, 1): whether rest is unstable in the graph that was drawn."""
        own = np.array([own_gain(self.first + int(graph)) for graph in draw])
        found = np.zeros((len(x), 1), LABELLED)
        found["label"][:, 0] = np.where(np.prod(GAINS[0] + x * GAINS[1], axis=1) > own, "yes", "no")
        found["margin"] = np.nan
        return found


CHAOS = FiniteGraphs(chaos, 2, 0.01, draws=31)
"""Its noise is as wide as the tolerance: 0.01 of the range of g."""


def axes(d, **changes):
    whole = {"unit": "", "structural": False, "integer": False, "levels": None, "low": 0.0, "high": 1.0}
    more = {"log": False, "ordered": True, "doc": ""}
    return [ResolvedAxis(path=f"x{k}", **{**whole, **more, **changes}) for k in range(d)]


def make(case, total=3000, **changes):
    options = {"batch": 32, "start": 2 ** (case.d + 3), "explore": 0.1, "confidence": 0.9, "seed": 0}
    options |= {"tolerance": case.tolerance, "draws": case.draws, "initial": 1} | changes
    return Boundary(axes(case.d), total, **options)


def places(assignments):
    return np.stack([column for path, column in assignments.items() if path != DRAW], axis=1).astype(float)


def drain(case, search):
    """Ask and tell to the end; return what was asked and told, batch by batch."""
    batches = []
    while not search.done:
        asked = search.ask(10**6)
        assert size_of(asked)
        told = case.see(places(asked), asked[DRAW])
        search.tell(told)
        batches.append((asked, told))
    return batches


def errors(case, border):
    """Return how far points of the border are from the true one; all functions here are distances near it."""
    return np.abs(case.of(border.units))


def left_out(case, border, count=20000):
    """Return the volume on the wrong side of the border, as a fraction of all.

    A side is the sign of what is interpolated on the triangulation of all places, ±1 there, and the border's points, 0.
    """
    from scipy.interpolate import LinearNDInterpolator

    x = np.random.default_rng(0).random((count, case.d))
    sign = np.where(np.array(border.sites.labels)[border.sites.code] == "yes", 1.0, -1.0)
    known = LinearNDInterpolator(
        np.concatenate([border.sites.units, border.units]), np.append(sign, np.zeros(len(border.units)))
    )
    return float(((known(x) > 0) != (case.of(x) > 0)).mean())


def grid_for(case, error):
    """Return the number of points of the coarsest grid whose border is as good: 95 % within the error.

    The border of a grid is where its edges between neighbours change labels: their middles, or, where the
    margin is told, its zero.
    """
    for n in range(3, 400):
        if np.quantile(grid_errors(case, n), 0.95) <= error:
            return n**case.d
    raise AssertionError("no grid is fine enough")


def noisy_grid_for(case, error, choices=5):
    """Return the fewest points, draws counted, of a grid whose majority's border is as good on the mean over draws."""
    sizes = [(n * n * k, n, k) for n in range(11, 72, 5) for k in (1, 3, 5, 9, 15)]
    for points, n, k in sorted(sizes):
        others = [replace(case, first=case.first + k * choice) for choice in range(choices)]
        if np.mean([np.quantile(grid_errors(other, n, k), 0.95) for other in others]) <= error:
            return points
    raise AssertionError("no grid is fine enough")


def grid_errors(case, n, draws=0):
    """Return how far the border of a grid is from the true one; of majorities over draws, or of certain labels."""
    side = np.linspace(0, 1, n)
    x = np.stack(np.meshgrid(*[side] * case.d, indexing="ij"), axis=-1)
    flat = x.reshape(-1, case.d)
    if draws:
        seen = [case.see(flat, np.full(len(flat), draw))["label"][:, 0] == "yes" for draw in range(draws)]
        margin = np.mean(seen, axis=0) - 0.5
    else:
        margin = case.of(flat)
    margin = margin.reshape((n,) * case.d)
    found = []
    for k in range(case.d):
        low, high = (np.take(margin, range(s, n - 1 + s), axis=k) for s in (0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            at = np.where((low > 0) != (high > 0), low / (low - high) if case.tells else 0.5, np.nan)
        start = np.take(x, range(n - 1), axis=k)[~np.isnan(at)]
        start[:, k] += at[~np.isnan(at)] * (side[1] - side[0])
        found.append(np.abs(case.of(start)))
    found = np.concatenate(found)
    return found if len(found) else np.full(1, np.sqrt(case.d))  # none: as far as anything can be
