"""What a network's connectivity looks like: weights, degrees, spectrum, overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity import LowRankOperator
from neuroflame.core.weights import EffectiveWeights, Spectrum
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec

__all__ = ["Diagnostics", "Spectrum"]


class Diagnostics:
    """Part of `neuroflame.Network`: looks at the connectivity, with J and its scaling, at one point."""

    spec: NetworkSpec
    operators: Any

    if TYPE_CHECKING:

        @property
        def slices(self) -> dict[str, slice]:
            """Where each population's neurons stand."""

        def program(self, values: Mapping[str, Any], points: int, seeds: Tensor) -> Program:
            """Return what an executor runs."""

    def effective_weights(self, values: Mapping[str, Any] | None = None) -> EffectiveWeights:
        """Return the effective weights as an operator.

        Parameters
        ----------
        values : mapping, optional
            Batchable path to a number, as ``{"J.EE": 8.0}``.

        Raises
        ------
        SpecError
            If a path does not exist, is structural, or has more than one value.
        """
        for path, value in (values or {}).items():
            if np.size(value) != 1:
                raise SpecError("must have one value: weights are those of one point", got=value, path=path)
        program = self.program(values or {}, 1, torch.zeros(1, dtype=torch.int64))
        return EffectiveWeights(program, self.slices)

    def weights(self, values: Mapping[str, Any] | None = None) -> Tensor:
        """Return the effective weights J · scaling · C as a matrix, float64, (N, N), post by pre.

        Short-term plasticity is not in it. For at most 5,000 neurons; see `effective_weights`.
        """
        return self.effective_weights(values).dense()

    def weight_spectrum(self, k: int = 6, values: Mapping[str, Any] | None = None) -> Spectrum:
        """Return the k leading eigenvalues of the effective weights, and what the circular law expects.

        The matrix is never made. In the bulk of a large random matrix Arnoldi's method needs many products.
        """
        return self.effective_weights(values).spectrum(k)

    def in_degrees(self) -> dict[str, np.ndarray]:
        """Return by pair the number of inputs of each postsynaptic neuron, int64, (N_post,)."""
        return {name: operator.in_degrees().cpu().numpy() for name, operator in self.operators.items()}

    def out_degrees(self) -> dict[str, np.ndarray]:
        """Return by pair the number of neurons that each presynaptic one reaches, int64, (N_pre,)."""
        return {name: operator.out_degrees().cpu().numpy() for name, operator in self.operators.items()}

    def overlaps(self, pair: str) -> np.ndarray:
        """Return n_r · m_s / N of an all-to-all low-rank pair of a population onto itself, (R, R).

        Raises
        ------
        SimulationError
            If the pair is no such pair.
        """
        operator = dict(self.operators.items()).get(pair)
        if not isinstance(operator, LowRankOperator) or operator.post != operator.pre:
            known = [
                name
                for name, other in self.operators.items()
                if isinstance(other, LowRankOperator) and other.post == other.pre
            ]
            raise SimulationError(
                "is not an all_to_all pair of low rank, square", got=pair, remedy=suggestion(pair, known)
            )
        return operator.overlaps().cpu().numpy()
