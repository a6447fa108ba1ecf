"""Run the benchmarks and print their tables."""

from __future__ import annotations

import argparse

import torch

from benchmarks import published
from benchmarks.record import RESULTS, machine, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--peer", metavar="PATH", help="a checkout of kiriclope/NeuroFlame at 4575eac, to run beside"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    rows = published.main(options.device, options.peer, options.repetitions)
    print(", ".join(f"{key} {value}" for key, value in machine(options.device).items()))
    print(table(rows))
    print(f"records in {RESULTS}")


if __name__ == "__main__":
    main()
