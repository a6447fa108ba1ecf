"""Every kind of bad input gives one clear line and exit code 2."""

import os

import pytest
import yaml

from neuroflame import cli
from tests.unit.test_cli import SWEEP
from tests.unit.test_sweep_spec import NETWORK


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yml").write_text(yaml.safe_dump(NETWORK))
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    (tmp_path / "text.yml").write_text("just some words")
    (tmp_path / "broken.yml").write_text("network: [net.yml\nspace: {")
    (tmp_path / "twice.yml").write_text("network: net.yml\nwindow: 1\nwindow: 2\n")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "file").write_text("")
    (tmp_path / "lost.yml").write_text(yaml.safe_dump({**SWEEP, "network": "gone.yml"}))
    (tmp_path / "other").mkdir()
    (tmp_path / "mess" / "parts").mkdir(parents=True)
    (tmp_path / "mess" / "manifest.json").write_text("{not json")
    return tmp_path


def plan(*sets):
    return ["plan", "sweep.yml", *(part for one in sets for part in ("--set", one))]


CASES = {
    "border of no column": (
        plan("search={kind: boundary, on: bump.E.m11 > 5, points: 100}", "space={J.EE: {low: 1, high: 2}}"),
        "sweep.yml: search.on: is not a column of this sweep, got 'bump.E.m11' (did you mean 'bump.E.m1'?)",
    ),
    "border between names": (
        plan("search={kind: boundary, on: bump.E.m1 > 5, points: 100}", "space={transfer: [relu, tanh]}"),
        "sweep.yml: space.transfer: must be numbers in order in a boundary search",
    ),
    "border on a conditional axis": (
        plan(
            "search={kind: boundary, on: bump.E.m1 > 5, points: 100}",
            "space={J0.E: [1, 2], J.EE: {low: 1, high: 2, when: {J0.E: 1}}}",
        ),
        "sweep.yml: space.J.EE.when: must count everywhere in a boundary search",
    ),
    "stop of a border at a value": (
        plan(
            "search={kind: boundary, on: bump.E.m1 > 5, points: 100}",
            "space={J.EE: {low: 1, high: 2}}",
            "stop={target: 3}",
        ),
        "sweep.yml: stop.target: has no meaning in a boundary search, which has no objective",
    ),
    "no such file": (["plan", "gone.yml"], "gone.yml: there is no such file"),
    "a directory": (["plan", "other"], "other: is a directory"),
    "not YAML": (["validate", "broken.yml"], "broken.yml: is not valid YAML at line"),
    "not a mapping": (["plan", "text.yml"], "text.yml: must hold a mapping"),
    "not text": (["plan", "binary.yml"], "binary.yml: is not a text file"),
    "empty file": (["plan", "empty.yml"], "empty.yml: must hold a mapping of keys to values, got 'nothing'"),
    "a key twice": (["plan", "twice.yml"], "twice.yml: window: stands twice"),
    "network file missing": (
        ["plan", "lost.yml"],
        "lost.yml: network: there is no such file, got 'gone.yml'",
    ),
    "unknown key": (
        plan("sarch.kind=grid"),
        "sweep.yml: sarch.kind: is not a known key (did you mean 'search'?)",
    ),
    "unknown nested key": (
        plan("compute.tiles=3"),
        "compute.tiles: is not a known key (did you mean 'tile'?)",
    ),
    "wrong pair": (plan("space.J.EX=[1]"), "space.J.EX: there is no such value in the network (did you mean"),
    "wrong pair set": (plan("J.EX=1"), "set.J.EX: is not a pair"),
    "unknown path": (plan("space.populations.E.tua=[1]"), "(did you mean 'populations.E.tau'?)"),
    "negative size": (
        plan("populations.E.size=-5"),
        "set.populations.E.size: must be greater than 0, got -5",
    ),
    "negative size swept": (
        plan("space.populations.E.size=[-5, 5]"),
        "space.populations.E.size: must be greater",
    ),
    "half a neuron": (plan("space.populations.E.size=[5.5]"), "must be a whole number, got 5.5"),
    "wrong type": (plan("dt=fast"), "set.dt: must be a number, got 'fast'"),
    "empty grid": (plan("space.J.EE=[]"), "space.J.EE: must hold at least one value, got []"),
    "grid of none": (
        plan("space.J.EE={from: 1, to: 2, num: 0}"),
        "space.J.EE.num: must be at least 1, got 0",
    ),
    "a value twice": (plan("space.J.EE=[1, 1]"), "space.J.EE: must not hold a value twice, got 1"),
    "one value": (plan("space.J.EE=3"), "(a single value belongs under set)"),
    "mixed forms": (plan("space.J.EE={from: 1, low: 2}"), "(one form at a time)"),
    "names for numbers": (plan("space.J.EE=[a, b]"), "space.J.EE: must be numbers, got 'a'"),
    "numbers for names": (plan("space.transfer=[1]"), "space.transfer: must be names"),
    "swept and set": (plan("J.EE=3"), "space.J.EE: is set and swept at once"),
    "grid over interval": (plan("space.J.EE={low: 1, high: 2}"), "must list its values in a grid search"),
    "interval upside down": (
        plan("space.J.EE={low: 2, high: 1}"),
        "space.J.EE.high: must be greater than low",
    ),
    "log of zero": (
        plan("space.J.EE={from: 0, to: 1, num: 3, log: true}"),
        "must be positive on a logarithmic",
    ),
    "unknown search": (
        plan("search={kind: sobl}"),
        "search.kind: must be one of 'grid', 'list', 'random', 'sobol', 'tpe'",
    ),
    "listed off the axes": (
        plan("search={kind: list, assignments: {J.EE: [99], J0.E: [1]}}"),
        "sweep.yml: search.assignments.J.EE.0: is not a value of that axis, got 99",
    ),
    "nothing to check": (["robust", "other"], "other: holds no sweep"),
    "no objective": (plan("search={kind: tpe, trials: 4}"), "must have one of maximise, minimise and target"),
    "unknown objective": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m2}"),
        "search.maximise: is not a column of this sweep, got 'bump.E.m2' (did you mean 'bump.E.m1'?)",
    ),
    "two objectives at once": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m1, minimise: rate.E.mean}"),
        "search.maximise: must have one of maximise, minimise and target (put several under objective)",
    ),
    "objective misspelt": (
        plan("search={kind: nsga2, trials: 4, objective: [{maximize: bump.E.m1}, {minimise: rate.E.mean}]}"),
        "search.objective.0.maximize: is not a known key (did you mean 'maximise'?)",
    ),
    "unknown column of several": (
        plan("search={kind: nsga2, trials: 4, objective: [{maximise: bump.E.m1}, {minimise: rate.E.meen}]}"),
        "search.objective.1.minimise: is not a column of this sweep, got 'rate.E.meen' (did you mean 'rate.E.mean'?)",
    ),
    "a column twice": (
        plan("search={kind: tpe, trials: 4, objective: [{maximise: bump.E.m1}, {minimise: bump.E.m1}]}"),
        "search.objective: must not seek a column twice",
    ),
    "target of two": (
        plan("search={kind: tpe, trials: 4, target: {rate.E.mean: 5, rate.I.mean: 6}}"),
        "search.target: must name one column and its value",
    ),
    "negative tolerance": (
        plan("search={kind: tpe, trials: 4, target: {rate.E.mean: 5, tolerance: -1}}"),
        "search.target.tolerance: must be at least 0, got -1",
    ),
    "several for cmaes": (
        plan(
            "space.J0.E=[1, 2]",
            "search={kind: cmaes, trials: 4, objective: [{maximise: bump.E.m1}, {minimise: rate.E.mean}]}",
        ),
        "search.objective: must be one for cmaes, got 2 (use nsga2)",
    ),
    "cmaes over names": (
        plan(
            "space.transfer={choices: [relu, tanh]}", "search={kind: cmaes, trials: 4, maximise: bump.E.m1}"
        ),
        "space.transfer: has no order, which cmaes cannot search (use tpe)",
    ),
    "cmaes over one axis": (
        plan("space={J.EE: [1, 2, 3, 4]}", "search={kind: cmaes, trials: 4, maximise: bump.E.m1}"),
        "space: must have at least two axes in a cmaes search",
    ),
    "constraint on nothing": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m1, constraints: [rate.E.mena < 3]}"),
        "search.constraints.0: is not a column of this sweep, got 'rate.E.mena' (did you mean 'rate.E.mean'?)",
    ),
    "constraint that compares a text": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m1, constraints: [status > 3]}"),
        "search.constraints.0: texts can only be compared with == and !=",
    ),
    "border where texts are ordered": (
        plan("search={kind: boundary, on: status > 3, points: 100}", "space={J.EE: {low: 1, high: 2}}"),
        "sweep.yml: search.on: texts can only be compared with == and !=, got 'status > 3' (compare a column of",
    ),
    "answer where texts are ordered": (
        plan("answer={where: rate.E.mean > 1 and status > 3, label: high}"),
        "sweep.yml: answer.where: texts can only be compared with == and !=, got 'status > 3' (compare a column of",
    ),
    "answer where a regime is misspelt": (
        plan("measure=[regime]", "answer={where: regime == bmp, label: high}"),
        "sweep.yml: answer.where: is no regime, got 'bmp' (did you mean 'bump'?)",
    ),
    "constraint with a misspelt word": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m1, constraints: [statu == ok]}"),
        "search.constraints.0: the table has no such column, got 'statu' (did you mean status?)",
    ),
    "no such warm start": (
        plan("search={kind: tpe, trials: 4, maximise: bump.E.m1, warm_start: nowhere}"),
        "search.warm_start: there is no such file or directory, got 'nowhere'",
    ),
    "when of nothing": (
        plan("space.J.EI={values: [-1, -2], when: {J.EF: 1}}"),
        "space.J.EI.when.J.EF: is not another axis of this sweep (did you mean 'J0.E'?)",
    ),
    "when of no value": (
        plan(
            "space.transfer={choices: [relu, tanh]}", "space.J.EI={values: [-1, -2], when: {transfer: tanj}}"
        ),
        "space.J.EI.when.transfer: is not a value of that axis, got 'tanj' (did you mean 'tanh'?)",
    ),
    "when in a circle": (
        plan(
            "space.J.EI={values: [-1, -2], when: {J.II: -1}}",
            "space.J.II={values: [-1, -2], when: {J.EI: -1}}",
        ),
        "space.J.EI.when: waits for itself",
    ),
    "stop of nothing": (plan("stop={}"), "stop: must have one of points, time, target and no_improvement"),
    "stop at no time": (plan("stop={time: soon}"), "stop.time: must be a time, got 'soon' (for example 90 s"),
    "stop a grid that seeks nothing": (
        plan("stop={target: 3}"),
        "stop.target: has no meaning in a grid search, which has no objective (use points or time)",
    ),
    "more than there is": (plan("search={kind: random, trials: 9}"), "at most the 4 different assignments"),
    "field that does not apply": (
        plan("search={kind: sobol, trials: 4, batch: 2}"),
        "search.batch: is not a known key",
    ),
    "unknown measure": (
        plan("measure=[rate]"),
        "measure.0: must be one of 'rates', 'bump', 'spikes', 'oscillation', 'memory', 'convergence', 'stp', "
        "'weights', 'lyapunov', 'spectrum', 'fixed_points', 'diffusion' or 'regime', got 'rate'",
    ),
    "options of what is not measured": (
        plan("dynamics.spectrum.k=3"),
        "dynamics.spectrum: has no effect: it is not measured (add spectrum to measure)",
    ),
    "options of what a label does not need": (
        plan("measure=[regime]", "dynamics.lyapunov.k=2"),
        "dynamics.lyapunov: has no effect: it is not measured (add lyapunov to measure)",
    ),
    "no exponent": (
        plan("measure=[lyapunov]", "dynamics.lyapunov.k=0"),
        "dynamics.lyapunov.k: must be at least 1, got 0",
    ),
    "exponents that stop before they begin": (
        plan("measure=[lyapunov]", "dynamics.lyapunov.duration=2", "dynamics.lyapunov.longest=1"),
        "dynamics.lyapunov.longest: must be at least the duration, 2 s, got 1",
    ),
    "lags of a diffusion in the wrong order": (
        plan("measure=[bump, diffusion]", "dynamics.diffusion.lags=[0.4, 0.1]"),
        "dynamics.diffusion.lags: must be two shares that ascend, above 0 and at most 0.5, got [0.4, 0.1]",
    ),
    "diffusion without noise": (plan("measure=[bump, diffusion]"), "measure: needs noise: without it trials"),
    "runs that cannot go on": (
        plan("longest=30"),
        "longest: has no effect: regimes are not measured (add regime to measure)",
    ),
    "measure of what is not there": (plan("measure=[weights]"), "measure: weights has no effect: no weights"),
    "dynamics of weights that learn": (
        plan("measure=[rates, lyapunov]", "hebbian.EE={rule: hebb, eta: 1}"),
        "measure: lyapunov needs constant weights, and those of EE learn (leave it out, or leave out hebbian)",
    ),
    "learning of spikes": (
        plan("populations.E.spiking={}", "populations.E.threshold=0.0", "hebbian.EE={rule: hebb, eta: 1}"),
        "hebbian.EE: learns by rates, and E spikes (leave it out)",
    ),
    "unknown rule": (
        plan("hebbian.EE={rule: heb, eta: 1}"),
        "hebbian.EE.rule: must be one of 'hebb', 'cov', 'bcm', 'corr', got 'heb' (did you mean 'hebb'?)",
    ),
    "field of another rule": (plan("hebbian.EE={rule: hebb, eta: 1, tau: 1}"), "EE.tau: is not a known key"),
    "learning after the end": (
        plan("hebbian.EE={rule: hebb, eta: 1, onset: 9}"),
        "hebbian.EE.onset: must be before the end",
    ),
    "spikes of rate units": (
        plan("measure=[spikes]"),
        "measure: needs a population that spikes, got 'spikes'",
    ),
    "rate unit's field of a spiking population": (
        plan("populations.E.spiking={}", "populations.E.gain=2.0"),
        "populations.E.gain: has no effect on a population that spikes, got 2.0 (scale J and J0 instead)",
    ),
    "unknown start": (
        plan("repeat.initial_conditions=[warm]"),
        "repeat.initial_conditions.0: is not an initial condition, got 'warm'",
    ),
    "turn that is none": (plan("repeat.initial_conditions=[cued@north]"), "is not an initial condition"),
    "no phases": (
        plan("repeat.initial_conditions=[{cued: 0}]"),
        "repeat.initial_conditions.0: must be a name, {cued: N} for cues at N phases",
    ),
    "start of no kind": (
        plan("repeat.initial_conditions=[{kind: rnd}]"),
        "sweep.yml: repeat.initial_conditions.0.kind: must be random or state, got 'rnd'",
    ),
    "state that is not there": (
        plan("repeat.initial_conditions=[{kind: state, file: gone.npz}]"),
        "sweep.yml: repeat.initial_conditions.0.file: there is no such file",
    ),
    "state of another kind": (
        plan("repeat.initial_conditions=[{kind: state, file: text.yml}]"),
        "is not a .npz file of arrays by the names of variables",
    ),
    "ramp of nothing": (
        plan("ramp={path: J0.X, from: 0, to: 1, hold: 1}"),
        "sweep.yml: ramp.path: there is no such value in the network, got 'J0.X' (did you mean",
    ),
    "ramp without pace": (plan("ramp={path: J0.E, from: 0, to: 1}"), "ramp.hold: must be given, or rate"),
    "ramp of what is swept": (
        plan("ramp={path: J.EE, from: 0, to: 1, hold: 1}"),
        "ramp.path: is swept and ramped",
    ),
    "no such kick": (
        plan("perturb={kind: nudge}"),
        "sweep.yml: perturb.kind: must be one of 'rates', 'rotation', 'stp', 'random', got 'nudge'",
    ),
    "kick of nobody": (
        plan("perturb={kind: rates, add: 1, populations: [X]}"),
        "perturb.populations.0: is not a population, got 'X'",
    ),
    "phases of what is not cued": (plan("repeat.initial_conditions=[{hot: 8}]"), "{cued: N} for cues"),
    "a phase twice": (plan("repeat.initial_conditions=[cued, {cued: 2}]"), "must not hold a value twice"),
    "no repetition": (plan("repeat.seeds=0"), "repeat.seeds: must be at least 1, got 0"),
    "window too long": (plan("window=99"), "window: must be at most the duration, 0.05 s, got 99"),
    "bad question": (plan("answer={label: x, where: rate.E.mean >}"), "answer.where: "),
    "question about nothing": (
        plan("answer={label: x, where: bump.E.ratoi > 1}"),
        "answer.where: is not a column of this sweep, got 'bump.E.ratoi' (did you mean 'bump.E.ratio'?)",
    ),
    "too many points": (
        plan("space.J.EE={from: 0, to: 1, num: 100000000}"),
        "must give at most 1e+08 points",
    ),
    "not PATH=VALUE": (plan("J.EE"), "must be PATH=VALUE, got 'J.EE'"),
    "value not YAML": (plan("J.EI=[1"), "--set J.EI: is not valid YAML"),
    "unknown device": (
        ["plan", "sweep.yml", "--device", "gpu"],
        "compute.device: must be one of 'auto', 'cpu'",
    ),
    "tile of none": (["plan", "sweep.yml", "--tile", "0"], "argument --tile: must be a whole number above 0"),
    "deadline of nothing": (
        plan("compute.deadline=0"),
        "compute.deadline: must be auto or a positive number, got 0",
    ),
    "deadline in words": (
        plan("compute.deadline=soon"),
        "compute.deadline: must be auto or a positive number, got 'soon'",
    ),
    "fewer tries than one": (plan("compute.retries=-1"), "compute.retries: must be "),
    "half a try": (plan("compute.retries=0.5"), "compute.retries: "),
    "retrying what was not": (
        ["run", "sweep.yml", "--retry-failed"],
        "unrecognized arguments: --retry-failed",
    ),
    "unknown command": (["plna", "sweep.yml"], "invalid choice: 'plna'"),
    "no command": ([], "arguments are required: COMMAND"),
    "unknown option": (["plan", "sweep.yml", "--fast"], "unrecognized arguments: --fast"),
    "output is a file": (
        ["run", "sweep.yml", "--backend", "inline", "--out", "file"],
        "file/: must be a directory",
    ),
    "output below a file": (
        ["run", "sweep.yml", "--backend", "inline", "--out", "file/x"],
        "must be a directory",
    ),
    "output of another": (["run", "sweep.yml", "--backend", "inline", "--out", "mess"], "mess"),
    "no sweep there": (["resume", "other"], "other: holds no sweep"),
    "no directory": (["status", "gone"], "gone"),
    "report of nothing": (["report", "other"], "other: holds no sweep"),
    "best of nothing": (["best", "other"], "other: holds no sweep"),
    "address without port": (
        ["run", "sweep.yml", "--address", "here"],
        "must be auto or HOST:PORT, got 'here'",
    ),
    "address of a client": (["run", "sweep.yml", "--address", "ray://x:1"], "must be auto or HOST:PORT"),
    "nobody at the address": (
        ["run", "sweep.yml", "--address", "127.0.0.1:1"],
        "no Ray cluster answers: Connection refused, got '127.0.0.1:1'",
    ),
    "low rank, overlap too large": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, overlap: 2}"),
        "connectivity.profile.overlap: must be at most the variance, 1, in magnitude, got 2",
    ),
    "low rank, covariance of another size": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, covariance: [[1]]}"),
        "connectivity.profile.covariance: must be a matrix of 2 by 2",
    ),
    "low rank, covariance not symmetric": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, covariance: [[1, 0.5], [0.4, 1]]}"),
        "connectivity.profile.covariance: must be symmetric",
    ),
    "low rank, covariance of no distribution": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, covariance: [[1, 2], [2, 1]]}"),
        "connectivity.profile.covariance: must be positive semidefinite",
    ),
    "low rank, overlap beside covariance": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, overlap: 0.5, covariance: [[1, 0], [0, 1]]}"),
        "connectivity.profile.overlap: has no effect beside covariance",
    ),
    "low rank, overlap of equal vectors": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, overlap: 0.5, symmetric: true}"),
        "connectivity.profile.overlap: has no effect where n = m",
    ),
    "low rank, means of another number": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, mean: [1, 2, 3]}"),
        "connectivity.profile.mean: must have one number or 2",
    ),
    "low rank, overlaps of another number": (
        plan("connectivity.profile={kind: low_rank, kappa: 1, overlap: [0.1, 0.2]}"),
        "connectivity.profile.overlap: must have one number or 1",
    ),
    "Gaussian and sparse": (
        plan("connectivity={kind: sparse, K: 2, profile: {kind: gaussian}}"),
        "connectivity.profile.kind: is for all_to_all connectivity, got 'gaussian'",
    ),
    "given without a file": (
        plan("connectivity.pairs={EE: {kind: given}}"),
        "connectivity.pairs.EE.file: is required where kind is given",
    ),
    "a given file that is not there": (
        plan("connectivity.pairs={EE: {kind: given, file: gone.npz}}"),
        "connectivity.pairs.EE.file: there is no such file",
    ),
    "stimulus after the end": (
        plan("stimuli.cue.onset=0.06", "stimuli.cue.offset=0.07"),
        "stimuli.0.onset: must be before the end of the run at 0.05 s, got 0.06",
    ),
    "stimulus after the end, swept": (
        plan("space.stimuli.cue.delay=[0.0, 0.1]"),
        "space.stimuli.cue.delay: is not allowed: stimuli.0.delay must leave the onset before the end of the run",
    ),
    "offset and duration": (plan("stimuli.cue.duration=0.01"), "stimuli.0.duration: stands beside offset"),
    "jitter upside down": (
        plan("stimuli.cue.jitter={low: 0.01, high: 0.005}"),
        "stimuli.0.jitter.high: must be greater than low, got 0.005",
    ),
    "array that is not there": (
        plan("stimuli.0={shape: array, over: neurons, file: gone.npy, onset: 0, offset: 0.01}"),
        "stimuli.0.file: there is no such file",
    ),
    "array of another shape": (
        plan("stimuli.0={shape: array, over: neurons, values: [1, 2], onset: 0, offset: 0.01}"),
        "stimuli.0.values: must have one value for each of the",
    ),
    "dynamics of nothing": (plan("feedforward={}"), "feedforward: must have one of tau, stp and adaptation"),
    "dynamics of nobody": (
        plan("feedforward={stp: {X: {U: 0.2, tau_fac: 1, tau_rec: 1}}}"),
        "feedforward.stp.X: is not a population",
    ),
    "external noise without dynamics": (
        plan("noise={kind: white, sigma: 1, on: external}"),
        "noise.0.on: is the same as input without feedforward (use input)",
    ),
    "no such executor": (
        ["run", "sweep.yml", "--backend", "inline", "--quiet", "--set", "compute.executor=fastest"],
        "compute.executor: must be one of",
    ),
    "an executor that the plan knows cannot run this": (
        plan("compute.executor=trajectory", "feedforward={tau: 0.01}"),
        "the executor trajectory cannot run this: the external input has dynamics of its own (feedforward) "
        "(use executor: auto)",
    ),
    "an executor for other devices": (
        plan("compute.executor=stepped", "compute.device=cpu"),
        "the executor stepped cannot run this: it is for CUDA devices, and the network is on cpu (use executor: auto)",
    ),
    "no such machine": (
        ["run", "sweep.yml", "--backend", "inline", "--quiet", "--device", "cuda"],
        "there is no CUDA device here",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(case, folder, capsys):
    if case == "no such machine":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device here")
    arguments, expected = CASES[case]
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("neuroflame-sweep")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_output_that_may_not_be_written(folder, capsys):
    (folder / "locked").mkdir(mode=0o500)
    assert cli.main(["run", "sweep.yml", "--backend", "inline", "--out", "locked/x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_directory_that_may_not_be_read(folder, capsys):
    (folder / "locked").mkdir(mode=0o000)
    assert cli.main(["status", "locked"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wrong_address_leaves_nothing_behind(folder):
    assert cli.main(["run", "sweep.yml", "--address", "127.0.0.1:1"]) == 2
    assert not (folder / "runs").exists()
