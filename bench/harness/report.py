"""The table for people and the line for programs."""

import statistics


def table(title, results):
    """`results`: contestant → list of Run; the first is ours."""
    ours = statistics.median(r.wall for r in next(iter(results.values())))
    print(f"\n{title}")
    print(
        f"  {'':26}{'wall s':>9}{'min':>9}{'max':>9}{'client CPU':>12}{'server CPU':>12}"
        f"{'peak MB':>9}{'MB':>9}{'× ours':>8}"
    )
    for name, runs in results.items():
        walls = [r.wall for r in runs]
        stored = "" if runs[0].stored_mb is None else f"{_median(runs, 'stored_mb'):.1f}"
        print(
            f"  {name:26}{statistics.median(walls):9.2f}{min(walls):9.2f}{max(walls):9.2f}"
            f"{_median(runs, 'client_cpu'):12.2f}{_median(runs, 'server_cpu'):12.2f}"
            f"{max(r.peak_mb for r in runs):9.0f}{stored:>9}{statistics.median(walls) / ours:8.2f}"
        )


def times_as_fast(results, ours, other):
    """Ratio of wall medians; over 1 means that ours is faster."""
    return round(_median(results[other], "wall") / _median(results[ours], "wall"), 3)


def peak_mb(results, ours):
    return round(max(r.peak_mb for r in results[ours]), 1)


def bytes_ratio(results, ours, other):
    """Under 1 means that ours stores less."""
    return round(_median(results[ours], "stored_mb") / _median(results[other], "stored_mb"), 3)


def _median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)
