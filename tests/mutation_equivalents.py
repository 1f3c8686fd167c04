"""Mutants that change nothing that is promised, each with the reason, and the score."""

import ast
from collections import Counter
from typing import Any

from gradgen.ops import OPS


def listed(*groups: tuple[str, tuple[str, ...]]) -> dict[str, str]:
    """Titles of mutants with their reasons, from reasons with their titles."""
    return {title: reason for reason, titles in groups for title in titles}


def _extremes() -> tuple[str, ...]:
    found = []
    for row, sign in (("maximum", ">"), ("py_max", ">"), ("minimum", "<"), ("py_min", "<")):
        for position, (own, other) in enumerate(("xy", "yx")):
            outer = f"where({own} {sign} {other}, g, "
            tie = f"{outer}where(x == y, 0.5 * g, 0.0))"
            found += [
                f"{row}.alone[{position}]: {outer}0.0) -> where(out {sign} {other}, g, 0.0)",
                f"{row}.d[{position}]: {tie} -> {tie.replace(own, 'out', 1)}",
                f"{row}.d[{position}]: {tie} -> "
                + tie.replace("x == y", "x == out" if own == "x" else "out == y"),
            ]
    return tuple(found)


_SERIES = str(OPS["sinc"].d[0])
_SPELLED = ast.unparse(ast.parse(_SERIES))

RULES = listed(
    ("out is the larger (smaller) operand: it exceeds the other one where this one does",
     _extremes()),
    ("out is x clipped: it is beyond a bound, or short of it, where x is",
     ("clip.d[0]: where((x >= y) & (x <= z), g, 0.0) -> where((x >= y) & (x <= out), g, 0.0)",
      "clip.d[1]: where((x < y) & (y <= z), g, 0.0) -> where((x < out) & (y <= z), g, 0.0)",
      "clip.d[1]: where((x < y) & (y <= z), g, 0.0) -> where((x < y) & (y <= out), g, 0.0)",
      "clip.d[2]: where(maximum(x, y) > z, g, 0.0) -> where(maximum(x, y) > out, g, 0.0)",
      "clip_above.d[0]: where(x <= y, g, 0.0) -> where(x <= out, g, 0.0)",
      "clip_above.d[1]: where(x > y, g, 0.0) -> where(x > out, g, 0.0)",
      "clip_below.d[0]: where(x >= y, g, 0.0) -> where(x >= out, g, 0.0)",
      "clip_below.d[1]: where(x < y, g, 0.0) -> where(x < out, g, 0.0)")),
    ("a number of size 1 divides as it multiplies; out has the sign of y",
     tuple(f"copysign.d[0]: g * (sign(x) * copysign(1.0, y)) -> {wrong}" for wrong in (
         "g * (sign(x) / copysign(1.0, y))", "g * (sign(x) * copysign(1.0, out))"))),
    ("the numerator is 0 where the divisor is another one",
     tuple(f"hypot.d[{k}]: g * ({v} / where(out == 0, 1.0, out)) -> g * ({v} / where({wrong}, out))"
           for k, v in enumerate("xy")
           for wrong in (f"{v} == 0, 1.0", "out == 0, 2.0", "out == 0, 1.000000001"))),
    ("out * log is 0 where x is 0 or out underflows; 0 ** y has no derivative at y = 0",
     tuple(f"power.d[1]: g * (out * log(where(x == 0, 1.0, x))) -> g * (out * log(where({wrong})))"
           for wrong in ("out == 0, 1.0, x", "x == 0, 2.0, x", "x == 0, 1.000000001, x"))),
    ("the operand is -inf there, and so is its difference from any number",
     tuple(f"{row}.d[{k}]: g * {f}({v} - where(out == -inf, 0.0, out)) -> "
           f"g * {f}({v} - where({wrong}, out))"
           for row, f in (("logaddexp", "exp"), ("logaddexp2", "exp2")) for k, v in enumerate("xy")
           for wrong in (f"{v} == -inf, 0.0", "out == -inf, 1.0"))),
    ("the branch is not taken at 0",
     tuple(f"sinc.d[0]: {_SERIES} -> {_SPELLED.replace('== 0, 1.0', f'== 0, {wrong}')}"
           for wrong in ("2.0", "1.000000001"))),
    ("either formula is right where they meet; less than the rounding of either",
     tuple(f"sinc.d[0]: {_SERIES} -> {_SPELLED.replace(*change)}" for change in (
         ("< 0.16", "<= 0.16"), ("0.16", "0.16000000016000002"), ("518918400", "518918401"),
         ("518918400", "518918399"), ("93405312000", "93405312001"),
         ("93405312000", "93405311999")))),
)  # fmt: skip

_DERIVE, _FRONT = "gradgen/derive.py:Reverse.", "gradgen/read/front.py:Front."
_SWEEP = "gradgen/sweep.py:Sweep."

CODE = listed(
    ("an over-estimate: the rule of an operand with none contributes nothing",
     tuple(_SWEEP + t for t in (
         "_is_active: return any((active[a] and rule is not None for a, rule in zip(args, rules, "
         "strict=True))) -> return any((rule is not None for a, rule in zip(args, rules, "
         "strict=True)))",
     ))),
    ("equal reads of one array are one node, so that a part has one contribution",
     tuple(_DERIVE + t for t in (
         "_assemble: for more in contributions[1:]: -> for more in contributions[2:]:",
         "_assemble: one = b.add('add', one, more) -> one = b.add('sub', one, more)",
     ))),
    ("_cover takes vectors only",
     (_DERIVE + "_assemble: ordered = sorted(summed, key=lambda item: item[0][0][1] % t.shape[0]) "
      "-> ordered = sorted(summed, key=lambda item: item[0][0][1] % t.shape[-1])",
      "gradgen/derive.py:_cover: return t.rank == 1 and len(summed) == t.shape[0] and "
      "(len(summed) <= 12) -> return t.rank == 1 and len(summed) == t.shape[-1] and "
      "(len(summed) <= 12)")),
    ("the adjoint is spelled out for an index that does not need it; it is the same",
     tuple(_DERIVE + "_structural: if any((graph.types[o].rank > 1 for o in args[1:])) and "
           f"graph.types[g].shape: -> if {wrong}:" for wrong in (
               "any((graph.types[o].rank > 1 for o in args[1:]))",
               "any((graph.types[o].rank >= 1 for o in args[1:])) and graph.types[g].shape",
               "any((graph.types[o].rank > 0 for o in args[1:])) and graph.types[g].shape"))),
    ("`number and array` is the array where the number is true, and else False",
     (_SWEEP + "_branch: both = 'bitand' if t.shape or graph.types[live].shape else 'both' -> "
      "both = 'bitand' if graph.types[live].shape else 'both'",)),
    ("the copy is made once more after the passes",
     (_DERIVE + "gradient: elif t.kind == 'array' and _may_alias_argument(graph, total): -> else:",
      "gradgen/derive.py:_may_alias_argument: return True -> return False",
      "gradgen/derive.py:_may_alias_argument: while OPS[graph.ops[node]].view if graph.ops[node] "
      "not in LEAVES else False: -> while False if graph.ops[node] not in LEAVES else "
      "OPS[graph.ops[node]].view:")),
    ("it is asked for cells only",
     (_FRONT + "index: if isinstance(value, Cell) and basic and view: -> if basic and view:",)),
    ("only arrays are changed in place, so that a number in the list is never looked for",
     (_FRONT + "outer: if isinstance(at, (list, dict)) or (isinstance(at, Cell) and "
      "self.is_array(at)): -> if isinstance(at, (list, dict)) or isinstance(at, Cell):",)),
)  # fmt: skip


def settle(title: str, killer: str | None, listed: Any, score: Counter[str]) -> None:
    """Count a mutant, and name a survivor and a false equivalent."""
    if title in listed:
        kind = "equivalent" if killer is None else "wrong"
    else:
        kind = "killed" if killer else "survived"
    score[kind] += 1
    if kind == "survived":
        print(f"SURVIVED {title}", flush=True)
    elif kind == "wrong":
        print(f"LISTED, BUT KILLED by {killer}: {title}", flush=True)


def summary(title: str, score: Counter[str]) -> bool:
    """Print a score; whether nothing survived and no list is wrong."""
    alive = score["killed"] + score["survived"]
    share = 100.0 * score["killed"] / alive if alive else 100.0
    print(f"{title}: {sum(score.values())} mutants, {score['killed']} killed, "
          f"{score['equivalent']} equivalent, {score['survived']} survived: "
          f"{share:.1f} %")  # fmt: skip
    return not score["survived"] and not score["wrong"]
