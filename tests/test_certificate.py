"""The certificate in the header: lines and back, and what compares files passes over it."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradgen import files, header
from gradgen.certificate import FIRST, LINE, certificate_lines, read_certificate
from gradgen.errors import GradgenError
from gradgen.render import body_of
from gradgen.unit import Unit

WHOLE = {
    "source": "ab" * 32,
    "oracles": {"complex step": {"compared": 24, "worst": 2.5e-16}, "symbolic": "proved"},
    "replay": "gradgen verify model_grad.py",
    "domain": ["x > 0", "1e-3 <= y < 10"],
    "versions": {"gradgen": "0.1.0", "numpy": "2.4.6", "python": "3.11.7", "sympy": "1.14"},
    "ulps": 1.5,
    "stabilized": False,
    "note": None,
}
NASTY = [
    "", " ", "  ", "a   b", " leading", "trailing ", "two\nlines", "tab\there", '"quoted"',
    "back\\",
    "\\u0041", "é ß 漢字 🙂", "\u2028", "\u202e", "\x00\x7f", "\ud800", "\u3000", "# comment",
    "key = value", "x" * 300, "a b " * 100, "y = 1, " * 40, "{{ 1 }} {% if %}", "\r\n", "\ufeff",
]  # fmt: skip


@pytest.mark.parametrize("value", NASTY)
def test_any_text_comes_back_from_printable_lines(value):
    lines = certificate_lines({"domain": value, "listed": [value, {value: value}]})
    assert read_certificate("\n".join(lines)) == {
        "domain": value, "listed": [value, {value: value}],
    }  # fmt: skip
    for line in lines:
        assert line.startswith(LINE)
        assert line.isprintable()
        assert line == line.rstrip()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.from_regex("[a-z][a-z0-9-]*", fullmatch=True), JSON, max_size=5))
def test_every_mapping_of_json_comes_back(mapping):
    text = "x = 1\n" + "\n".join(certificate_lines(mapping)) + "\n# gradgen-version: 1\n"
    found = read_certificate(text)
    assert found == mapping
    assert certificate_lines(found) == certificate_lines(mapping)


def test_bools_integers_and_signed_zeros_keep_their_kind():
    found = read_certificate("\n".join(certificate_lines({"a": [True, 1, 1.0, 0.0, -0.0]})))["a"]
    assert [type(item) for item in found] == [bool, int, float, float, float]
    assert [math.copysign(1.0, item) for item in found[3:]] == [1.0, -1.0]


def test_the_order_is_fixed_and_not_that_of_the_mapping():
    wanted = certificate_lines(WHOLE)
    for items in itertools.islice(itertools.permutations(WHOLE.items()), 0, 40320, 1009):
        assert certificate_lines(dict(items)) == wanted
    keys = [
        line[len(LINE) + 1 :].partition(" ")[0] for line in wanted if line[len(LINE) + 1] != " "
    ]
    assert keys == [
        "oracles", "ulps", "domain", "versions", "replay", "source", "note", "stabilized",
    ]  # fmt: skip
    assert [key for key in keys if key in FIRST] == [key for key in FIRST if key in keys]


def test_the_parts_of_a_value_have_a_fixed_order_as_well():
    one, other = {"b": 1, "a": {"d": 2, "c": 3}}, {"a": {"c": 3, "d": 2}, "b": 1}
    assert certificate_lines({"versions": one}) == certificate_lines({"versions": other})


def test_lines_are_short_where_there_are_spaces():
    lines = certificate_lines({**WHOLE, "domain": "a word and " * 60})
    assert len(lines) > 12
    assert max(len(line) for line in lines if "abab" not in line) <= 88
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"a": math.nan}, "the value of a: Out of range float values are not JSON compliant"),
        ({"a": [math.inf]}, "the value of a: Out of range float values are not JSON compliant"),
        ({"a": (1, 2)}, "the value of a: a tuple would come back as a list"),
        ({"a": [{"b": (1,)}]}, "the value of a: a tuple would come back as a list"),
        ({"a": {1: 2}}, "the value of a: 1 is not text"),
        ({"a": {1, 2}}, "the value of a: Object of type set is not JSON serializable"),
        ({"A b": 1}, "'A b' is not a key of small letters, digits and -"),
        ({"": 1}, "'' is not a key of small letters, digits and -"),
        ({"a\n": 1}, "'a\\n' is not a key of small letters, digits and -"),
    ],
)
def test_what_would_not_come_back_is_refused(mapping, message):
    with pytest.raises(GradgenError) as error:
        certificate_lines(mapping)
    assert str(error.value).startswith(f"certificate: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{LINE}", "not a line of a certificate: ''"),
        (f"{LINE} ulps 3", "not a line of a certificate: 'ulps 3'"),
        (f"{LINE}   3", "not a line of a certificate: '  3'"),
        (f"{LINE} ulps = 3\n{LINE} ulps = 3", "ulps is there twice"),
        (f"{LINE} ulps = three", "the value of ulps cannot be read"),
        (f"{LINE} ulps = [1,\n{LINE}   2", "the value of ulps cannot be read"),
    ],
)
def test_a_certificate_that_was_spoilt_is_refused(text, message):
    with pytest.raises(GradgenError) as error:
        read_certificate(text)
    assert str(error.value) == f"certificate: {message}"


def test_a_text_without_a_certificate_has_an_empty_one():
    assert read_certificate("x = 1\n") == {}
    assert certificate_lines({}) == []


def test_crlf_does_not_matter():
    text = "\r\n".join(certificate_lines(WHOLE)) + "\r\n"
    assert read_certificate(text) == WHOLE


def test_the_certificate_stands_in_the_header_and_is_not_compared():
    unit = Unit(imports=["import math"], notes=["a note"])
    head = [f"{files.HEADER}model.py:f; DO NOT EDIT.", f"{files.SOURCE_LINE} sha256:0"]
    plain = header.finished_text(unit, head, None)
    signed = header.finished_text(unit, head, None, certificate_lines(WHOLE))
    assert plain != signed
    assert read_certificate(signed) == WHOLE
    assert body_of(signed) == body_of(plain)
    assert files.judge(signed, plain) is None and files.judge(plain, signed) is None
    other = header.finished_text(unit, head, None, certificate_lines({**WHOLE, "ulps": 9.0}))
    assert files.judge(signed, other) is None
    edited = signed.replace("import math", "import  math")
    assert files.judge(edited, plain).startswith("edited by hand: the body")
