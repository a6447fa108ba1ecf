"""Connectivity as operators: what a population receives for what another one sends."""

from neuroflame.core.connectivity.base import Operator
from neuroflame.core.connectivity.dense import DenseOperator
from neuroflame.core.connectivity.low_rank import LowRankOperator
from neuroflame.core.connectivity.make import make_operator
from neuroflame.core.connectivity.ring import RingOperator
from neuroflame.core.connectivity.sparse import SparseOperator, WeightedOperator

__all__ = [
    "DenseOperator",
    "LowRankOperator",
    "Operator",
    "RingOperator",
    "SparseOperator",
    "WeightedOperator",
    "make_operator",
]
