"""Mutation testing: small errors are planted in gradgen, one at a time, and a test has to fail.

    python -m tests.mutation rules [--only NAME]
    python -m tests.mutation code|checker [--only FILE:FUNCTION] [--sample N] [--seed S]
                                          [--budget SECONDS] [--trace FILE]

`rules` plants errors in the derivative texts of the op rows, in memory, and calls the oracles of
tests/test_ops.py. `code` plants them in what derives and emits and in everything that a row calls
for its adjoints, `checker` in what decides a verdict on a gradient, which only the tests of the
checker are asked about; each mutant runs in a forked child, on the tests that execute the line.
A survivor is a hole in the tests or an equivalent mutant, which `tests/mutation_equivalents.py`
lists with the reason; one that is listed there and is killed is an error.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mutation_code import run_code
from mutation_rules import run_rules


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("what", choices=("rules", "code", "checker"))
    parser.add_argument("--only", default="", help="a row, or a part of FILE:FUNCTION")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of the code; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--budget", type=float, default=20.0, help="seconds of tests a mutant (CPU)"
    )
    parser.add_argument("--trace", type=Path, help="keeps what the tests execute, for other runs")
    given = parser.parse_args()
    if given.what == "rules":
        return 0 if run_rules(given.only) else 1
    found = run_code(given.what, given.only, given.sample, given.seed, given.budget, given.trace)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
