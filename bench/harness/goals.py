"""What the service shall reach, held against what was measured."""

from typing import NamedTuple


class Goal(NamedTuple):
    """`figure` is a path into the line for programs; the goal is held under `limit`."""

    name: str
    figure: tuple
    limit: float
    unit: str


GOALS = (
    Goal("a function answers after its start", ("functions", "slowest_answer_ms"), 50, "ms"),
    Goal("the largest executable", ("functions", "largest_mib"), 20, "MiB"),
    Goal("a page of the list", ("service", "list_ms"), 20, "ms"),
    Goal("a change is on the wire", ("service", "sse_ms"), 1000, "ms"),
    Goal("a create call", ("service", "create_ms"), 100, "ms"),
)


def missed(answer):
    """Prints a line for each goal that was measured; returns how many were missed."""
    count = 0
    for goal in GOALS:
        figure = answer
        for step in goal.figure:
            figure = figure.get(step, {})
        if figure == {}:
            continue
        held = figure < goal.limit
        count += not held
        print(f"{'held  ' if held else 'MISSED'} {goal.name}: {figure} {goal.unit}, less than {goal.limit} wanted")
    return count
