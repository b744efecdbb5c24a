"""The simulated GraphQL: strict where a real schema is strict."""

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from app.simulators.clarus.execute import Filter, Nested, Root, execute
from app.simulators.clarus.graphql import QueryError, Word, bind, parse


@dataclass
class Row:
    id: int
    code: str
    size: int | None
    made: int
    live: bool
    owner: str | None


ROWS = [
    Row(n, f"Code-{n}", n * 10 if n != 3 else None, n * 1000, n % 2 == 0, "me" if n > 2 else None) for n in range(1, 6)
]

ROOTS = {
    "things": Root(
        "ThingFilterType",
        {"id": lambda r: str(r.id), "code": lambda r: r.code, "owner": Nested(lambda r: r.owner, {"name": str})},
        {
            "code": Filter("StringInputType", lambda r: r.code),
            "id": Filter("IdInputType", lambda r: r.id),
            "size": Filter("DecimalInputType", lambda r: r.size),
            "made": Filter("DatetimeInputType", lambda r: r.made),
            "live": Filter("BooleanInputType", lambda r: r.live),
            "kind": Filter("EnumInputType", lambda r: "EVEN" if r.live else "ODD"),
        },
        lambda where: ROWS,
        {"include_archived": "Boolean"},
    )
}


def ask(text: str, **variables: Any) -> Any:
    query = parse(text)
    return execute(ROOTS, query, bind(query, variables))


def ids(where: dict[str, Any]) -> list[str]:
    data = ask(
        "query($f: ThingFilterType) { things { all(filter: $f, first: 100) { edges { node { id } } } } }", f=where
    )
    return [edge["node"]["id"] for edge in data["things"]["all"]["edges"]]


def test_the_documented_form_is_answered_with_aliases_and_several_roots() -> None:
    data = ask(
        """query Both($n: Int = 1, $c: String) { # a comment
          a: things { all(first: $n, after: $c) { pageInfo { hasNextPage endCursor } edges { cursor node { id owner { name } } } } }
          b: things { all(first: 1, filter: {code: {eq: "Code-4"}}) { edges { node { it: code owner { name } } } } } }"""
    )
    assert data == {
        "a": {
            "all": {
                "pageInfo": {"hasNextPage": True, "endCursor": "MQ"},
                "edges": [{"cursor": "MQ", "node": {"id": "1", "owner": None}}],
            }
        },
        "b": {"all": {"edges": [{"node": {"it": "Code-4", "owner": {"name": "me"}}}]}},
    }


def test_cursors_are_positions_and_pages_end() -> None:
    text = """query($after: String) { things { all(first: 2, after: $after) {
              pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { id } } } } }"""
    seen, after = [], None
    while True:
        page = ask(text, after=after)["things"]["all"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["1", "2", "3", "4", "5"]
    assert base64.b64decode(f"{after}==") == b"5"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"code": {"eq": "Code-2"}}, "2"),
        ({"code": {"in": ["Code-2", "Code-5", "none"]}}, "25"),
        ({"code": {"ilike": "CODE-3"}}, "3"),
        ({"code": {"like": "code-3"}}, ""),
        ({"id": {"in": ["1", 4]}}, "14"),
        ({"id": {"gt": "3"}, "live": {"eq": True}}, "4"),
        ({"size": {"gteq": 20}}, "245"),
        ({"size": {"lt": 20.5}}, "12"),
        ({"size": {"between": [10, 40]}}, "124"),
        ({"made": {"from": "1970-01-01T00:00:04Z"}}, "45"),
        ({"made": {"to": "1970-01-01T01:00:02+01:00"}}, "12"),
        ({"kind": {"eq": "EVEN"}}, "24"),
        ({}, "12345"),
    ],
)
def test_filters_hold_all_at_once(where: dict[str, Any], expected: str) -> None:
    assert "".join(ids(where)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{ }",
        "{ things { } }",
        "{ things }",
        "{ nothing { all { edges { node { id } } } } }",
        "{ things { some { edges { node { id } } } } }",
        "{ things { all(limit: 1) { edges { node { id } } } } }",
        "{ things { all { rows { id } } } }",
        "{ things { all { edges { node { secret } } } } }",
        "{ things { all { edges { node { id { code } } } } } }",
        "{ things { all { edges { node { owner } } } } }",
        "{ things { all { edges { node } } } }",
        "{ things { all { pageInfo { total } edges { node { id } } } } }",
        "{ things { all(filter: {weight: {eq: 1}}) { edges { node { id } } } } }",
        "{ things { all(filter: {code: {like: 1}}) { edges { node { id } } } } }",
        "{ things { all(filter: {code: {matches: \"x\"}}) { edges { node { id } } } } }",
        "{ things { all(filter: {code: {in: \"x\"}}) { edges { node { id } } } } }",
        "{ things { all(filter: {code: \"x\"}) { edges { node { id } } } } }",
        "{ things { all(filter: {size: {gt: \"big\"}}) { edges { node { id } } } } }",
        "{ things { all(filter: {made: {from: \"yesterday\"}}) { edges { node { id } } } } }",
        "{ things { all(filter: {code: {eq: BARE}}) { edges { node { id } } } } }",
        "{ things { all(first: 0) { edges { node { id } } } } }",
        "{ things { all(first: \"2\") { edges { node { id } } } } }",
        "{ things { all(after: \"%\") { edges { node { id } } } } }",
        "{ things { all(filter: $f) { edges { node { id } } } } }",
        "query($f: OtherFilterType) { things { all(filter: $f) { edges { node { id } } } } }",
        "query($n: Int!) { things { all(first: $n) { edges { node { id } } } } }",
        "mutation { things { all { edges { node { id } } } } }",
        "{ things { all { edges { node { ...F } } } } }",
        "{ things { all { edges { node { id @skip(if: true) } } } } }",
        "{ a: things { all { edges { node { id } } } } } { b: things { all { edges { node { id } } } } }",
        "{ things { all { edges { node { id } } } } ; }",
    ],
)  # fmt: skip
def test_what_does_not_fit_the_schema_is_an_error(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(text)
    assert set(caught.value.shown()) == {"message", "path", "locations", "extensions"}


def test_an_unknown_field_is_an_error_even_where_there_are_no_rows() -> None:
    with pytest.raises(QueryError):
        ask('{ things { all(filter: {code: {eq: "none"}}) { edges { node { secret } } } } }')


def test_values_are_read_as_the_language_writes_them() -> None:
    query = parse(r'{ t { all(a: [1, -2.5, true, null, WORD, "q\"\n"], b: {c: {d: ""}}) { x } } }')
    given = query.fields[0].fields[0].arguments
    assert given == {"a": [1, -2.5, True, None, Word("WORD"), 'q"\n'], "b": {"c": {"d": ""}}}
