"""Who is connected to whom: kinds, profiles, and blocks that are given instead of drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Flag, Real, Spec, Whole, quantity
from neuroflame.spec.blocks import describe_file
from neuroflame.spec.parts import PerName

Numbers = Annotated[
    Annotated[Real, Tag("number")] | Annotated[tuple[Real, ...], Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "number"),
]
"""One number, or a list of them."""


def cholesky(matrix: list[list[float]]) -> list[list[float]] | None:
    """Return L with L Lᵀ = matrix, lower triangular; None if the matrix is not positive semidefinite.

    In plain arithmetic, in a fixed order: what is drawn with it must not depend on a machine's LAPACK.
    """
    size = len(matrix)
    tolerance = 1e-12 * max(1e-300, *(abs(matrix[i][i]) for i in range(size)))
    lower = [[0.0] * size for _ in range(size)]
    for j in range(size):
        pivot = matrix[j][j] - sum(x * x for x in lower[j][:j])
        if pivot < -tolerance:
            return None
        lower[j][j] = pivot**0.5 if pivot > tolerance else 0.0
        for i in range(j + 1, size):
            rest = matrix[i][j] - sum(x * y for x, y in zip(lower[i][:j], lower[j][:j], strict=True))
            if pivot > tolerance:
                lower[i][j] = rest / lower[j][j]
            elif abs(rest) > 1e3 * tolerance:
                return None
    return lower


class Uniform(Spec):
    """Unstructured connectivity."""

    kind: Literal["uniform"] = quantity("The profile's name.", default="uniform", structural=True)


class Cosine(Spec):
    """1 + kappa cos(θ_post − θ_pre − phase)."""

    kind: Literal["cosine"] = quantity("The profile's name.", structural=True)
    kappa: PerName = quantity("Depth of the modulation, for all pairs or by pair.")
    phase: Real = quantity("Shift of the profile.", default=0.0, unit="degrees")


class CosineWeak(Spec):
    """1 + kappa/√K cos(θ_post − θ_pre − phase)."""

    kind: Literal["cosine_weak"] = quantity("The profile's name.", structural=True)
    kappa: PerName = quantity("Depth of the modulation times √K, for all pairs or by pair.")
    phase: Real = quantity("Shift of the profile.", default=0.0, unit="degrees")


class VonMises(Spec):
    """exp(kappa cos(θ_post − θ_pre − phase)) / I0(kappa): mean 1 over the ring."""

    kind: Literal["von_mises"] = quantity("The profile's name.", structural=True)
    kappa: PerName = quantity("Concentration, for all pairs or by pair.")
    phase: Real = quantity("Shift of the profile.", default=0.0, unit="degrees")

    @field_validator("kappa")
    @classmethod
    def _nonnegative(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        for number in value.values() if isinstance(value, dict) else [value]:
            if number < 0:
                raise SpecError(
                    "must be at least 0", got=number, remedy="use phase: 180 for an inverted profile"
                )
        return value


class LowRank(Spec):
    """background + kappa/√K Σ_r m_i^r n_j^r, the vectors m and n drawn from a multivariate normal.

    Each neuron of a population draws its entries of all 2R vectors together: m of the postsynaptic population and
    n of the presynaptic one are used. So the overlap acts within a population, and between populations that
    share vectors.
    """

    kind: Literal["low_rank"] = quantity("The profile's name.", structural=True)
    kappa: PerName = quantity("Strength of the structure (times √K where sparse), for all pairs or by pair.")
    background: Real = quantity("Unstructured part; 0 leaves the low-rank part alone.", default=1.0)
    rank: Whole = quantity("Number of outer products R.", default=1, structural=True, gt=0)
    mean: Numbers = quantity(
        "Mean of the entries: one number for all vectors, or one each: m of every rank, then n of every rank.",
        default=0.0,
        structural=True,
    )
    variance: Real = quantity("Variance of the entries.", default=1.0, structural=True, ge=0)
    overlap: Numbers = quantity(
        "Covariance of m and n of the same rank, for all ranks or by rank.", default=0.0, structural=True
    )
    covariance: tuple[tuple[Real, ...], ...] | None = quantity(
        "Covariance matrix of the vectors, m of every rank before n of every rank, in place of variance and "
        "overlap.",
        default=None,
        structural=True,
    )
    symmetric: Flag = quantity(
        "Whether n = m; mean and covariance are then of m alone.", default=False, structural=True
    )
    vectors: str | None = quantity(
        "A name under which pairs share vectors; by default each pair has its own.",
        default=None,
        structural=True,
        min_length=1,
    )
    seed: Whole | None = quantity(
        "Seed of the vectors, in place of connectivity.seed.", default=None, structural=True, ge=0
    )

    @model_validator(mode="after")
    def _consistent(self) -> LowRank:
        drawn = self.drawn
        given = self.mean if isinstance(self.mean, tuple) else ()
        if given and len(given) != drawn:
            raise SpecError(f"must have one number or {drawn}", got=list(given), path="mean")
        overlap = self.overlap if isinstance(self.overlap, tuple) else ()
        if overlap and len(overlap) != self.rank:
            raise SpecError(f"must have one number or {self.rank}", got=list(overlap), path="overlap")
        changed = {"variance": self.variance != 1.0, "overlap": self.overlap != 0.0}
        if self.symmetric and changed["overlap"]:
            raise SpecError("has no effect where n = m", got=self.overlap, path="overlap")
        if self.covariance is not None:
            for name, value in changed.items():
                if value:
                    raise SpecError("has no effect beside covariance", got=getattr(self, name), path=name)
            rows = [list(row) for row in self.covariance]
            if any(len(row) != drawn for row in rows) or len(rows) != drawn:
                raise SpecError(f"must be a matrix of {drawn} by {drawn}", got=rows, path="covariance")
            if any(rows[i][j] != rows[j][i] for i in range(drawn) for j in range(i)):
                raise SpecError("must be symmetric", got=rows, path="covariance")
        if cholesky(self.covariances) is None:
            if self.covariance is None:
                raise SpecError(
                    f"must be at most the variance, {self.variance:g}, in magnitude",
                    got=self.overlap,
                    path="overlap",
                )
            raise SpecError(
                "must be positive semidefinite", got=[list(row) for row in self.covariance], path="covariance"
            )
        return self

    @property
    def drawn(self) -> int:
        """Number of vectors that are drawn: R where n = m, else 2R."""
        return self.rank if self.symmetric else 2 * self.rank

    @property
    def means(self) -> list[float]:
        """Mean of each vector that is drawn."""
        return list(self.mean) if isinstance(self.mean, tuple) else [self.mean] * self.drawn

    @property
    def covariances(self) -> list[list[float]]:
        """Covariance matrix of the vectors that are drawn."""
        if self.covariance is not None:
            return [list(row) for row in self.covariance]
        found = [[self.variance * (i == j) for j in range(self.drawn)] for i in range(self.drawn)]
        if not self.symmetric:
            overlap = self.overlap if isinstance(self.overlap, tuple) else (self.overlap,) * self.rank
            for r, value in enumerate(overlap):
                found[r][self.rank + r] = found[self.rank + r][r] = value
        return found


class Gaussian(Spec):
    """Independent standard normal weights, all-to-all, scaled as J/√N."""

    kind: Literal["gaussian"] = quantity("The profile's name.", structural=True)
    seed: Whole | None = quantity(
        "Seed of the weights, in place of connectivity.seed.", default=None, structural=True, ge=0
    )


Profile = Annotated[Uniform | Cosine | CosineWeak | VonMises | LowRank | Gaussian, Discriminator("kind")]
ConnectivityKind = Literal["sparse", "all_to_all"]


class PairConnectivity(Spec):
    """What differs for one pair from the network's connectivity, or the pair's own block."""

    kind: Literal["sparse", "all_to_all", "given"] | None = quantity(
        "sparse or all_to_all; given: the entries of `file`, post by pre, are multiplied by J as they are.",
        default=None,
        structural=True,
    )
    K: Real | None = quantity(
        "Mean in-degree of the pair, sparse only; given: what weights are scaled by, J/√K.",
        default=None,
        structural=True,
        gt=0,
    )
    profile: Profile | None = quantity("Profile of the pair.", default=None)
    file: str | None = quantity(
        "File of a given block, relative to the network's: .npy (dense), .npz (scipy.sparse.save_npz), or .csv with "
        "the header post,pre or post,pre,weight, neurons counted from 0.",
        default=None,
        structural=True,
    )
    content: str | None = quantity(
        "Digest of the given block's content; filled in.", default=None, structural=True
    )
    shape: tuple[Whole, Whole] | None = quantity(
        "Of the given block, or the least that holds an edge list; filled in.", default=None, structural=True
    )

    @model_validator(mode="before")
    @classmethod
    def _described(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("file"), str) or data.get("content"):
            return data
        path = Path(data["file"]).absolute()
        found = describe_file(path)
        return {**data, "file": str(path), "content": found.digest, "shape": found.shape}

    @model_validator(mode="after")
    def _block_is_given(self) -> PairConnectivity:
        if self.kind == "given":
            if self.content is None or self.shape is None:
                raise SpecError("is required where kind is given", path="file")
            if self.profile is not None:
                raise SpecError("has no effect on a given block", path="profile", remedy="leave it out")
        else:
            for name in ("file", "content", "shape"):
                if getattr(self, name) is not None:
                    raise SpecError("needs kind: given", got=getattr(self, name), path=name)
        return self

    @property
    def injected(self) -> bool:
        """Whether the block was given in memory, not as a file."""
        return self.kind == "given" and self.file is None


class Connectivity(Spec):
    """Who is connected to whom."""

    kind: ConnectivityKind = quantity("sparse or all_to_all.", default="all_to_all", structural=True)
    K: PerName | None = quantity(
        "Mean in-degree from each presynaptic population, sparse only; weights scale as 1/√K.",
        default=None,
        structural=True,
    )
    seed: Whole = quantity("Seed of the draw of connectivity.", default=0, structural=True, ge=0)
    profile: Profile = quantity("How probability or weight depends on preferred angles.", default=Uniform())
    pairs: dict[str, PairConnectivity] = quantity("Exceptions by pair, post before pre.", default={})
