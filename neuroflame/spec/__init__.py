"""What a user describes: networks and sweeps, validated before anything runs."""

from neuroflame.spec.network import NetworkSpec, Pair, load_network
from neuroflame.spec.overrides import load_sweep
from neuroflame.spec.paths import PathInfo, find_path, paths
from neuroflame.spec.sweep import SweepSpec

__all__ = ["NetworkSpec", "Pair", "PathInfo", "SweepSpec", "find_path", "load_network", "load_sweep", "paths"]
