"""Options that several commands take, so that they are spelled and explained alike."""

from __future__ import annotations

import click

from gradgen.program import EFFORTS

WRT = click.option("--wrt", metavar="NAMES", help="Parameters to differentiate, as in emit.")
WRT_ALL = click.option(
    "--wrt", metavar="NAMES", help="Parameters to differentiate (default: all that hold floats)."
)
SHAPES = click.option("--shapes", metavar="TEXT", help='Of the arguments, as "x=n d, a=scalar".')
OUTPUT = click.option("--output", type=click.IntRange(min=0), metavar="K",
                      help="Which of several results to differentiate, from 0.")  # fmt: skip
AT = click.option("--at", metavar="VALUES",
                  help='Of the arguments, Python literals: "x=-2, w=[1, 2]".')  # fmt: skip
DOMAIN = click.option("--domain", default="", metavar="TEXT",
                      help='As "x in [0.1, 10], y > 0".')  # fmt: skip
EFFORT = click.option("--effort", type=click.Choice(list(EFFORTS)), default="normal",
                      show_default=True)  # fmt: skip
SECONDS = click.option("--seconds", type=click.FloatRange(min=0), metavar="S",
                       help="Stop after so many seconds, and say what is left.")  # fmt: skip
AS_JSON = click.option("--json", "as_json", is_flag=True, help="The whole report, as JSON.")
