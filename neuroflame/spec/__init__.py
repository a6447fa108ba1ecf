"""What a user describes: networks and sweeps, validated before anything runs."""

from neuroflame.spec.network import NetworkSpec, Pair, load_network
from neuroflame.spec.paths import PathInfo, find_path, paths

__all__ = ["NetworkSpec", "Pair", "PathInfo", "find_path", "load_network", "paths"]
