"""Gradients that gradgen emits, against an expert's and against those of other packages.

    python -m tests.benchmarks                      # experts and gradgen, all workloads
    python -m tests.benchmarks --json speed.json
    python -m tests.benchmarks --peers all --json speed.json    # those of the peers to these
    python -m tests.benchmarks --only chain --only MLP --json speed.json
    python -m tests.benchmarks --show speed.json --chart speed.png

Figures are reported, never asserted. With `--json` those of a workload replace older ones in the
file, so that a table can be measured in pieces; table, verdicts and chart are of the whole file.
Those of peers are added to the file, and leave what it has of gradgen and the experts: other
packages in the process slow down what works on long arrays, by a tenth.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from . import golden_cases
from .contest import WORKLOADS, Result, measure
from .peers import PEERS
from .report import chart, show
from .timing import machine

BUDGET = 4.0  # seconds of blocks a workload; a peer adds half of that
QUICK_BUDGET = 0.5
# What --quick leaves out: what takes seconds a call, or to emit.
SLOW = ("10^7", "100,000 statements")


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for, and report it."""
    options = _parser().parse_args(words)
    known = golden_cases.workloads() if options.golden else WORKLOADS
    chosen = [name for name in known if _is_chosen(name, options)]
    peers = list(PEERS) if "all" in options.peers else [p for p in PEERS if p in options.peers]
    about, results = machine(), {}
    kept = options.show or options.json
    if kept and kept.exists():
        about, results = _read(kept)
    if options.show:
        chosen = []
    budget = options.seconds or (QUICK_BUDGET if options.quick else BUDGET)
    console = Console(stderr=True)
    turns = track(chosen, "Timing", console=console, disable=not console.is_terminal)
    for name in turns:
        about = machine()
        found = measure(known[name](), peers, budget * (1.0 + 0.5 * len(peers)))
        if peers and name in results:
            found = results[name].with_peers(found, peers)
        results[name] = found
        if options.json:
            _write(options.json, about, results)
    ordered = [results[name] for name in known if name in results]
    ordered += [result for name, result in results.items() if name not in known]
    show(ordered, about)
    if options.chart:
        chart(ordered, about, options.chart)


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=about)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORD",
        help="workloads with this word in their name; may be given several times",
    )
    parser.add_argument(
        "--peers",
        action="append",
        default=[],
        metavar="NAME",
        choices=["all", *PEERS],
        help=f"all, or one of {', '.join(PEERS)}",
    )
    parser.add_argument(
        "--golden",
        action="store_true",
        help="the golden cases that have a derivation by hand, instead",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a glance: short samples, and nothing that takes seconds",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="to spend on each workload")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here")
    parser.add_argument("--show", type=Path, metavar="FILE", help="report figures that were kept")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the chart (PNG or SVG)")
    return parser  # fmt: skip


def _is_chosen(name: str, options: argparse.Namespace) -> bool:
    if options.quick and any(word in name for word in SLOW):
        return False
    return not options.only or any(word in name for word in options.only)


def _read(file: Path) -> tuple[dict[str, str], dict[str, Result]]:
    kept = json.loads(file.read_text())
    return kept["machine"], {r["name"]: Result.from_json(r) for r in kept["results"]}


def _write(file: Path, about: dict[str, str], results: dict[str, Result]) -> None:
    kept = {"machine": about, "results": [r.as_json() for r in results.values()]}
    file.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
