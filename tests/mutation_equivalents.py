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

_ENTRIES, _NUMERIC = "gradgen/oracles/entries.py:", "gradgen/oracles/numeric.py:"
_DIFFERENCES, _STEPS = "gradgen/differences.py:", "gradgen/oracles/steps.py:"

CHECKER = listed(
    ("all of so many entries are chosen, in their order",
     (_ENTRIES + "_compare: if len(places) > MOST_ENTRIES: -> if len(places) >= MOST_ENTRIES:",)),
    ("the first sample sets it",
     (_NUMERIC + "dot_product: count, worst, reasons = (0, 0.0, dict[str, int]()) -> "
      "count, worst, reasons = (0, 1.0, dict[str, int]())",)),
    ("a row has one entry there; a row before the present one has made a best one",
     (_DIFFERENCES + "table: if not math.isfinite(row[0]): -> if not math.isfinite(row[-1]):",
      _DIFFERENCES + "table: if best is not None and before and (abs(row[-1] - before[-1]) > "
      "4 * best.error): -> if before and abs(row[-1] - before[-1]) > 4 * best.error:")),
    ("the same roundings, the other way; float32 is the only type that is coarse",
     (_STEPS + "jittered: moved = (array * factor).astype(array.dtype) -> moved = "
      "(array / factor).astype(array.dtype)",
      _STEPS + "coarsest: return max((float(np.finfo(kind).eps) for kind in kinds), "
      "default=EPSILON) -> return min((float(np.finfo(kind).eps) for kind in kinds), "
      "default=EPSILON)")),
    ("the bound is that of 30 digits, or the far larger one of a series; no root is just so large",
     tuple("gradgen/oracles/digits.py:" + t for t in (
         "compared: elif session.bound > 10.0 ** (-(digits * 3 // 5)): -> "
         "elif session.bound > 5.0 ** (-(digits * 3 // 5)):",
         "compared: elif session.bound > 10.0 ** (-(digits * 3 // 5)): -> "
         "elif session.bound > 10.0 ** (-(digits * 3 // 6)):",
         "_is_singular: if any((abs(x) < tiny for x in near.ravel())): -> "
         "if any((abs(x) <= tiny for x in near.ravel())):",
     ))),
    ("a function has fewer parameters",
     ("gradgen/testing.py:_Probe.shown: names = [*self.names, *map('args[{}]'.format, "
      "range(len(self.names), 99))] -> names = [*self.names, *map('args[{}]'.format, "
      "range(len(self.names), 98))]",)),
    ("samples refuse the name too; the clock stands still for less; of one, it is the last",
     tuple("gradgen/checking.py:" + t for t in (
         "run: check_names(subject, within) -> pass",
         "run: limits = dataclasses.replace(limits, expired=lambda: time.monotonic() > end) -> "
         "limits = dataclasses.replace(limits, expired=lambda: time.monotonic() >= end)",
         "_left_out: what = subjects[0] if len(subjects) == 1 else f'{subjects[0]} and "
         "{len(subjects) - 1} more' -> what = subjects[-1] if len(subjects) == 1 else "
         "f'{subjects[0]} and {len(subjects) - 1} more'",
     ))),
    ("what a number refutes is not proved either, only later; SymPy fails on no expression; a kink "
     "has one argument, and a function something that it is differentiated by",
     tuple("gradgen/oracles/symbolic.py:" + t for t in (
         "_proved: if branch.value is None or have is None: -> if have is None:",
         "_is_zero: refuted = number is None or not abs(number) < 10.0 ** "
         "(-session.effort.digits) -> refuted = number is None and (not abs(number) < 10.0 ** "
         "(-session.effort.digits))",
         "_is_zero: refuted = number is None or not abs(number) < 10.0 ** "
         "(-session.effort.digits) -> refuted = number is None or not abs(number) < 20.0 ** "
         "(-session.effort.digits)",
         "_settled: for _ in range(4): -> for _ in range(5):", "_settled: if not kinks: -> pass",
         "_settled: break -> pass",
         "_settled: side = _sign_at(kink.args[0], session, branch) -> "
         "side = _sign_at(kink.args[-1], session, branch)",
         "_settled: chosen[kink] = side * kink.args[0] if isinstance(kink, sympy.Abs) else side "
         "-> chosen[kink] = side * kink.args[-1] if isinstance(kink, sympy.Abs) else side",
         "_chosen: share = max(limit // max(len(every), 1), 1) -> "
         "share = max(limit // max(len(every), 0), 1)",
     ))),
    ("other random numbers of the same kind",
     ("gradgen/oracles/symbolic.py:_along: rng = np.random.default_rng([session.effort.seed, 7]) "
      "-> rng = np.random.default_rng([session.effort.seed, 6])",
      _NUMERIC + "forward: drawn: list[Samples] = [samples(subject, max(len(EDGES), "
      "effort.samples), effort.seed, domain, 'edge'), samples(subject, effort.samples, "
      "effort.seed, domain), samples(subject, effort.samples, effort.seed + 1, domain, 'wide')] "
      "-> drawn: list[Samples] = [samples(subject, max(len(EDGES), effort.samples), "
      "effort.seed, domain, 'edge'), samples(subject, effort.samples, effort.seed, domain), "
      "samples(subject, effort.samples, effort.seed + 2, domain, 'wide')]")),
    ("what is not finite ahead has no table either; a table sees both sides",
     tuple(_DIFFERENCES + t for t in (
         "derivative: ahead, behind = (value(reach), value(-reach)) -> "
         "ahead, behind = (value(reach), value(reach))",
     ))),
    ("no emitted text asks for its name, nor has it annotations",
     tuple("gradgen/oracles/rounding.py:Rounded.__init__: " + t for t in (
         "namespace['__name__'] = getattr(subject.emitted, '__module__', None) or "
         "'gradgen_emitted' -> namespace['__name__'] = getattr(subject.emitted, '__module__', "
         "None) and 'gradgen_emitted'",
         "exec(compile(tree, '<gradgen rounding>', 'exec', dont_inherit=True), namespace) -> "
         "exec(compile(tree, '<gradgen rounding>', 'exec', dont_inherit=False), namespace)",
     ))),
    ("the signs are as often of one kind as of the other",
     tuple("gradgen/oracles/rounding.py:Rounded._rounded: " + t for t in (
         "return value.dtype.type(value * (1.0 + np.finfo(value.dtype).eps * self._signs(()))) "
         "-> return value.dtype.type(value * (1.0 - np.finfo(value.dtype).eps * "
         "self._signs(())))",
         "return value * (1.0 + 2.0 ** (-52) * float(self._signs(()))) -> "
         "return value * (1.0 - 2.0 ** (-52) * float(self._signs(())))",
     ))),
    ("the three sides still have three numbers; all exponents are greater by one",
     tuple("gradgen/oracles/branch.py:_sides: " + t for t in (
         "found += [(first > v) * 2 + (first == v) for v in others] -> "
         "found += [(first >= v) * 2 + (first == v) for v in others]",
         "found += [(first > v) * 2 + (first == v) for v in others] -> "
         "found += [(first > v) * 3 + (first == v) for v in others]",
         "found += [np.frexp(v * 1.0)[1] for v in values] -> "
         "found += [np.frexp(v * 2.0)[1] for v in values]",
     ))),
    ("what has no items is empty whatever its ends are",
     ("gradgen/oracles/intervals.py:points: return Interval(INF, -INF, items=()) -> "
      "return Interval(INF, INF, items=())",)),
    ("a step, or how good is good enough: nothing is promised of the number",
     tuple(_STEPS + t for t in (
         "STARTS: STARTS = (-3, -7, 1, -12, -18, -26) -> STARTS = (-3, -7, 1, -12, -19, -26)",
         "GOOD_ENOUGH: GOOD_ENOUGH = 2e-11 -> GOOD_ENOUGH = 1e-11",
     ))),
    ("a length or a size of that order: nothing is promised of the number",
     tuple(_DIFFERENCES + t for t in (
         "derivative: for reach in (0.02 * around, 2e-05 * around, 0.02 * abs(at)): -> "
         "for reach in (0.02 * around, 2e-05 * around, 0.04 * abs(at)):",
         "derivative: noise = max(_noise(value, reach / 128.0), EPSILON * max(abs(ahead), "
         "abs(behind))) -> noise = max(_noise(value, reach / 64.0), EPSILON * max(abs(ahead), "
         "abs(behind)))",
         "derivative: scale = max(abs(found.value), size / max(abs(at), 1.0)) -> "
         "scale = max(abs(found.value), size / max(abs(at), 2.0))",
         "_has_kink: near, far = (abs(value(h) - 2.0 * middle + value(-h)) / h for h in "
         "(step, 8.0 * step)) -> near, far = (abs(value(h) - 2.0 * middle + value(-h)) / h "
         "for h in (step, 16.0 * step))",
     ))),
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
