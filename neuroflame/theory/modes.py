"""Growth of the Fourier modes about a homogeneous state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.theory.homogeneous import slopes
from neuroflame.theory.step import Growth, growth, step_matrix

if TYPE_CHECKING:
    from neuroflame.theory.meanfield import MeanField

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Modes:
    """Growth of each Fourier mode about one homogeneous state.

    Parameters
    ----------
    growth : tuple of Growth
        Of mode 0 (all neurons of a population alike), 1, … M, and M + 1, which stands for all that are not coupled.
    """

    growth: tuple[Growth, ...]

    @property
    def leading(self) -> int:
        """The mode that grows fastest."""
        return int(np.argmax([one.alpha for one in self.growth]))

    @property
    def stable(self) -> bool:
        """Whether every mode decays."""
        return self.growth[self.leading].alpha < 0.0


def mode_eigenvalues(field: MeanField, rates: Array, k: int) -> Array:
    """Return the eigenvalues μ of a step for perturbations e^{ikθ} of a homogeneous state.

    Parameters
    ----------
    field : MeanField
    rates : ndarray, (n,), Hz
    k : int
        Those of −k are the complex conjugates.
    """
    matrix = step_matrix(
        field, rates[:, None], slopes(field, rates)[:, None], lambda pair: np.array([[pair.mode(k)]])
    )
    found: Array = np.linalg.eigvals(matrix)
    return found


def mode_growth(field: MeanField, rates: Array) -> Modes:
    """Return the growth of every mode about a homogeneous state.

    Mode 0 is the amplitude, a real instability of mode 1 the pattern-forming (Turing) one; a complex pair is a Hopf
    instability at its frequency.
    """
    orders = range(field.modes + 2)
    return Modes(tuple(growth(mode_eigenvalues(field, rates, k), field.dt) for k in orders))
