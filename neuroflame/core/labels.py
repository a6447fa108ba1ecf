"""Recorded variables as labelled arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec, find_path
from neuroflame.spec.measures import spiking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from neuroflame.core.connectivity.edges import Edges
    from neuroflame.core.recorder import Recording

GROUPS = ("rates", "currents", "slow", "spikes", "voltage")
"""Variables that can be recorded side by side for all populations, the last two for those that spike."""
_UNITS = {"rates": "Hz", "spikes": "1"}


def members(spec: NetworkSpec, group: str) -> list[str]:
    """Return the populations that have a variable."""
    return spiking(spec) if group in {"spikes", "voltage"} else list(spec.populations)


def side_by_side(spec: NetworkSpec, recording: Recording, group: str) -> Tensor:
    """Return a variable of the populations that have it, (P, samples, N); NaN from where a point diverged on."""
    return torch.cat([_masked(recording, f"{group}.{name}") for name in members(spec, group)], dim=2)


def label(
    spec: NetworkSpec,
    recording: Recording,
    record: Sequence[str],
    values: Mapping[str, Any],
    edges: Mapping[str, Edges],
) -> xr.Dataset:
    """Return recorded variables with their dimensions, coordinates and units; see `Network.simulate`.

    Parameters
    ----------
    edges : mapping of Edges
        Connections by pair whose weights learn.
    """
    import xarray as xr

    sizes = {name: p.size for name, p in spec.populations.items()}
    degrees = {name: np.rad2deg(angles(size).numpy()) for name, size in sizes.items()}
    arrays: dict[str, Any] = {}
    coordinates: dict[str, Any] = {
        "time": ("time", np.asarray(recording.variable_steps) * spec.dt, {"units": "s"}),
    }
    for path, value in values.items():
        attributes = {"units": find_path(spec, path).unit}
        points = recording.fail_step.shape[0]
        coordinates[path] = (
            "point",
            np.broadcast_to(np.asarray(value, dtype=float).ravel(), points),
            attributes,
        )
    for name in record:
        if name in GROUPS:
            data, mine = side_by_side(spec, recording, name), members(spec, name)
            suffix = "" if len(mine) == len(sizes) else "_spiking"
            axis = f"neuron{suffix}"
            coordinates[f"population{suffix}"] = (axis, np.repeat(mine, [sizes[n] for n in mine]))
            coordinates[f"theta{suffix}"] = (
                axis,
                np.concatenate([degrees[n] for n in mine]),
                {"units": "degrees"},
            )
        elif name.startswith("weights.") or name.endswith(".product"):
            data, pair = _masked(recording, name), name.split(".")[1]
            axis = f"connection_{pair}"
            coordinates[f"post_{pair}"] = (axis, edges[pair].rows.cpu().numpy())
            coordinates[f"pre_{pair}"] = (axis, edges[pair].columns.cpu().numpy())
        else:
            data = _masked(recording, name)
            owner_name = _owner(spec, name)
            axis = f"neuron_{owner_name}"
            coordinates[f"theta_{owner_name}"] = (axis, degrees[owner_name], {"units": "degrees"})
        unit = _UNITS.get(name.split(".")[0])
        arrays[name] = (("point", "time", axis), data.cpu().numpy(), {"units": unit} if unit else {})
    return xr.Dataset(arrays, coords=coordinates, attrs={"spec": spec.digest(), "dt": spec.dt})


def _owner(spec: NetworkSpec, name: str) -> str:
    """Return the population whose neurons a variable is about."""
    _, middle, *_ = name.split(".")
    pairs = {pair.name: pair for pair in spec.pairs}
    last = name.rsplit(".", 1)[-1]
    if name.startswith("averages."):
        return pairs[middle].pre if last.startswith("pre_") else pairs[middle].post
    if name.startswith("feedforward."):
        return middle
    return pairs[middle].pre if name.startswith("stp.") else last


def _masked(recording: Recording, name: str) -> Tensor:
    data = recording.variables[name]
    if not bool((recording.fail_step >= 0).any()):
        return data
    steps = torch.as_tensor(recording.variable_steps, device=data.device)
    lost = (recording.fail_step[:, None] >= 0) & (steps >= recording.fail_step[:, None])
    return torch.where(lost[..., None], torch.full_like(data, torch.nan), data)


def assignments(sweep: Mapping[str, Any], *, pairwise: bool) -> dict[str, np.ndarray]:
    """Return the value of each path at each point: the grid of the vectors, or the vectors side by side."""
    vectors = {path: np.atleast_1d(np.asarray(v, dtype=np.float64)) for path, v in sweep.items()}
    for path, vector in vectors.items():
        if vector.ndim != 1 or not vector.size:
            raise SpecError("must be a number or a vector of at least one", got=vector.shape, path=path)
    if pairwise or len(vectors) < 2:
        return vectors
    grid = np.meshgrid(*vectors.values(), indexing="ij")
    return {path: axis.ravel() for path, axis in zip(vectors, grid, strict=True)}
