"""The stepped executor for GPUs: all neurons of a network advance together, step by step, in one kernel."""

from neuroflame.core.stepped.executor import SteppedExecutor

__all__ = ["SteppedExecutor"]
