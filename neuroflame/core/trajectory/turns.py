"""In what order threads run blocks of points, so that all threads end together.

Where blocks do not share out evenly, a run of a few blocks is cut in two: the first parts come first, the second
parts last, so that the two parts of a block never meet (McNaughton 1959, Management Sci. 6:1).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.trajectory.arguments import Stretch

Opened = TypeVar("Opened")


class Blocks(Protocol[Opened]):
    """Blocks that run from first step to last, each by itself.

    Attributes
    ----------
    stretches : list of Stretch
        What each of them runs.
    """

    stretches: list[Stretch]

    def open(self, number: int) -> Opened:
        """Return a block before its first step."""

    def advance(self, block: Opened, stretches: Sequence[Stretch]) -> None:
        """Run some of the stretches."""

    def close(self, block: Opened) -> None:
        """Keep what a block leaves."""


class Turns(NamedTuple):
    """Blocks to run whole, and blocks to run in two parts with the share of their steps in the first."""

    whole: list[int]
    cut: dict[int, float]


def turns(blocks: int, threads: int) -> Turns:
    """Return which blocks are cut, and where, for each thread to have the same share of the work."""
    cut = {}
    if blocks > threads:
        for thread in range(1, threads):
            block, rest = divmod(thread * blocks, threads)
            if rest:
                cut[block] = 1.0 - rest / threads
    return Turns([block for block in range(blocks) if block not in cut], cut)


def run_blocks(job: Blocks[Opened], blocks: int, threads: int) -> None:
    """Run all blocks on some threads."""

    def whole(number: int) -> None:
        block = job.open(number)
        job.advance(block, job.stretches)
        job.close(block)

    def first(number: int, stretches: Sequence[Stretch]) -> Opened:
        block = job.open(number)
        job.advance(block, stretches)
        return block

    def second(begun: Future[Opened], stretches: Sequence[Stretch]) -> None:
        block = begun.result()
        job.advance(block, stretches)
        job.close(block)

    order = turns(blocks, threads)
    longest_first = sorted(order.cut.items(), key=lambda item: -item[1])
    with ThreadPoolExecutor(max_workers=max(1, min(blocks, threads))) as pool:
        halves = []
        for number, share in longest_first:
            before, after = divide(job.stretches, share)
            halves.append((pool.submit(first, number, before), after))
        ended = [pool.submit(whole, number) for number in order.whole]
        ended += [pool.submit(second, *half) for half in reversed(halves)]
        for future in ended:
            future.result()


def divide(stretches: Sequence[Stretch], share: float) -> tuple[list[Stretch], list[Stretch]]:
    """Return the stretches before and after a share of their steps.

    The cut is inside an interval, as near as can be: samples are taken where one ends, of a state that the next
    step has begun to change. If no interval has two steps, nothing is left for the second part.
    """
    goal = stretches[0].start + share * (stretches[-1].stop - stretches[0].start)
    places = []
    for number, stretch in enumerate(stretches):
        begin = stretch.start
        for row, count in enumerate(stretch.rows[:, 0].tolist()):
            if count > 1:
                step = min(max(round(goal), begin + 1), begin + count - 1)
                places.append((abs(step - goal), number, row, step))
            begin += count
    if not places:
        return list(stretches), []
    _, number, row, step = min(places)
    before, after = stretches[number].cut(row, step)
    return [*stretches[:number], before], [after, *stretches[number + 1 :]]
