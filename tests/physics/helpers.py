"""Small networks whose behaviour is known."""

from neuroflame import Network


def single(**overrides):
    """One population of independent neurons with unit external input."""
    base = {
        "dt": 0.001,
        "duration": 0.2,
        "populations": {"E": {"size": 4, "tau": 0.02}},
        "J0": {"E": 1.0},
    }
    return build(base, **overrides)


def build(base, *, device="cpu", precision="double", executor="auto", seed=0, graph=0, **overrides):
    """Return a `Network` for a mapping and overrides of it."""
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.base import merge

    spec = NetworkSpec.parse(merge(base, overrides))
    return Network(spec, device=device, precision=precision, executor=executor, seed=seed, graph=graph)


def ensemble_of(base, values=None, *, graph=0, operators=None, device="cpu", **overrides):
    """Return an `Ensemble` for a mapping, overrides of it, and batchable values; operators of one's own if given."""
    import torch

    from neuroflame.core.connectivity import make_operator
    from neuroflame.core.dynamics import Ensemble
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.base import merge

    spec = NetworkSpec.parse(merge(base, overrides))
    place = torch.device(device)
    numbers = {
        path: torch.as_tensor(v, dtype=torch.float64, device=place) for path, v in (values or {}).items()
    }
    points = max((len(v) for v in numbers.values()), default=1)
    drawn = {p.name: make_operator(spec, p, graph=graph, device=place) for p in spec.pairs}
    return Ensemble(
        spec,
        operators or drawn,
        numbers,
        torch.arange(points, device=place),
        torch.ones(points, dtype=torch.bool, device=place),
        place,
    )
