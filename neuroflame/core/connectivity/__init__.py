"""Connectivity as operators: what a population receives for what another one sends."""

from neuroflame.core.connectivity.base import Operator
from neuroflame.core.connectivity.make import make_operator
from neuroflame.core.connectivity.ring import RingOperator
from neuroflame.core.connectivity.sparse import SparseOperator

__all__ = ["Operator", "RingOperator", "SparseOperator", "make_operator"]
