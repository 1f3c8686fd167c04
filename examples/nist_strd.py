"""Fit NIST's certified nonlinear regressions with emitted Jacobians, and count the right digits.

    python examples/nist_strd.py

The data, both starting points and the certified parameters (11 digits each) are read from NIST's
own files, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml, kept in nist/ as they are.
SciPy's least_squares gets the Jacobians of nist_models_grad.py; gradgen is not imported.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nist_models
import nist_models_grad
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares

Array = NDArray[Any]
DATA = Path(__file__).resolve().parent / "nist"
MODELS = {
    "Misra1a": "misra1a", "BoxBOD": "misra1a", "DanWood": "danwood", "Chwirut2": "chwirut2",
    "MGH10": "mgh10", "Eckerle4": "eckerle4", "Bennett5": "bennett5", "MGH09": "mgh09",
    "Rat43": "rat43", "Lanczos3": "lanczos3", "Thurber": "thurber", "Hahn1": "thurber",
}  # fmt: skip
POLISH = 40  # Gauss-Newton steps


@dataclass(frozen=True)
class Problem:
    """One of NIST's files: x (n,), y (n,), two starts (2, p), the certified parameters (p,)."""

    x: Array
    y: Array
    starts: Array
    certified: Array
    level: str


@dataclass(frozen=True)
class Fit:
    """The right digits of the worst parameter, and how often residuals and Jacobian were asked."""

    digits: float
    residuals: int
    jacobians: int


def load(name: str) -> Problem:
    """Read one problem; the file says on which lines its parts stand."""
    lines = (DATA / f"{name}.dat").read_text("ascii").splitlines()
    text = "\n".join(lines)
    parts = {
        title: slice(int(first) - 1, int(last))
        for title, first, last in re.findall(r"(\w+)[ ]+\(lines[ ]+(\d+) to[ ]+(\d+)\)", text)
    }
    rows = [line.split("=")[1].split() for line in lines[parts["Values"]] if "=" in line]
    # start 1, start 2, certified value, its standard deviation; then the sum of squares follows
    values = np.array([row for row in rows if len(row) == 4], dtype=float).T
    y, x = np.array([line.split() for line in lines[parts["Data"]]], dtype=float).T
    [level] = re.findall(r"(\w+) Level of Difficulty", text)
    return Problem(x, y, values[:2], values[2], level)


def solve(name: str, problem: Problem, start: Array) -> Fit:
    """Fit from one starting point in a trust region, then by Gauss-Newton to the last digits.

    `least_squares` ends where the sum of squares no longer falls: at about half of the digits,
    since the sum is flat at its minimum. Gauss-Newton looks at the slope alone.
    """
    residuals = getattr(nist_models, MODELS[name])
    jacobian = getattr(nist_models_grad, f"{MODELS[name]}_jacobian")
    with np.errstate(over="ignore"):  # a step too far is taken back
        result = least_squares(
            residuals,
            start,
            jac=jacobian,
            args=(problem.x, problem.y),
            x_scale="jac",
            max_nfev=10_000,
        )
    b = result.x
    for _ in range(POLISH):
        J = jacobian(b, problem.x, problem.y)
        scale = np.linalg.norm(J, axis=0)
        step = np.linalg.lstsq(J / scale, residuals(b, problem.x, problem.y))[0] / scale
        b = b - step
    return Fit(right_digits(b, problem.certified), result.nfev, result.njev)


def right_digits(found: Array, certified: Array) -> float:
    """-log10 of the relative error, of the worst parameter; 11 digits are certified."""
    error = np.max(np.abs(found - certified) / np.abs(certified))
    return min(11.0, -np.log10(error)) if error > 0 else 11.0


def main() -> None:
    table = Table(title="NIST StRD: right digits of the worst parameter (11 are certified)")
    for head in ("problem", "level", "n", "p", "from start 1", "from start 2", "residuals"):
        table.add_column(head, justify="left" if head in ("problem", "level") else "right")
    for name in MODELS:
        problem = load(name)
        fits = [solve(name, problem, start) for start in problem.starts]
        digits = [f"{fit.digits:.1f}" for fit in fits]
        calls = " / ".join(str(fit.residuals) for fit in fits)
        sizes = (str(problem.x.size), str(problem.certified.size))
        table.add_row(name, problem.level.lower(), *sizes, *digits, calls)
    Console().print(table)


if __name__ == "__main__":
    main()
