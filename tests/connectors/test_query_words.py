"""`:since` is found where it is a parameter, and nowhere else."""

import pytest

from connectors.query_words import read_words
from schemas.errors import SourceError


@pytest.mark.parametrize(
    ("scheme", "query", "filled"),
    [
        ("postgresql", "select * from t where a > :since", "select * from t where a > ?"),
        ("postgresql", "select a::since, ':since', \":since\" from t", None),
        ("postgresql", "select 1 -- :since\n/* :since\n */ , a[1:since]", None),
        ("postgresql", r"select E'it\':since' as a, 'x\' as b, :since", r"select E'it\':since' as a, 'x\' as b, ?"),
        ("postgresql", "select $$ :since $$, $a$ $$:since $a$, 'it''s :since'", None),
        ("postgresql", "select :since::date, (:since)", "select ?::date, (?)"),
        ("mysql", r"select 'it\':since', `:since` # :since", None),
        ("mssql", "select [:since], a from t", None),
        ("snowflake", "select src:since, \"src\":since from t", None),
        ("duckdb", "from t where a > :since", "from t where a > ?"),
        ("sqlite", "select 1 ; -- done\n ;", "select 1  -- done\n "),
        ("sqlite", "((select 1))", None),
        ("sqlite", "-- what\nWITH x as (select 1) select * from x", None),
        ("sqlite", "select ';'", None),
        ("mysql", r'select "it\" :since", "it"" :since", :since', r'select "it\" :since", "it"" :since", ?'),
        ("postgresql", r'select "a\", :since, "b"', r'select "a\", ?, "b"'),
        ("databricks", r'select "it\" :since"', None),
        ("bigquery", "select '''it's :since''', :since", "select '''it's :since''', ?"),
        ("bigquery", r'''select """a "b" \""" :since""", :since''', r'''select """a "b" \""" :since""", ?'''),
        ("bigquery", "select '', :since, ''", "select '', ?, ''"),
        ("postgresql", "select $b1$ :since $b1$, $é$ :since $é$", None),
        ("postgresql", "select a$b$, :since as b$b$", "select a$b$, ? as b$b$"),
        ("postgresql", "/* /* a */ :since /* /**/ */ **/ select :since", "/* /* a */ :since /* /**/ */ **/ select ?"),
        ("mssql", "select 1 /* /* */ :since */", None),
        ("snowflake", "select 1 // don't\n, :since // :since", "select 1 // don't\n, ? // :since"),
        ("mysql", "select 1 /* /* */ + :since", "select 1 /* /* */ + ?"),
    ],
)  # fmt: skip
def test_since_is_a_parameter_outside_quotes_comments_and_casts(scheme, query, filled):
    assert read_words(query, scheme, "source.x").filled("?") == (filled or query)


def test_what_a_driver_takes_for_a_placeholder_is_escaped_everywhere_but_there():
    words = read_words("select '5%' from t where a > :since", "mysql", "source.x")
    assert words.filled("%(since)s", lambda text: text.replace("%", "%%")) == (
        "select '5%%' from t where a > %(since)s"
    )


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select 1; select 2", "several statements; give one query"),
        ("select 1; :since", "several statements"),
        ("insert into t values (1) returning a", "no query; it must begin with select, with,"),
        ("selectx", "no query"),
        (" -- nothing\n", "no query"),
        ("select :id, :until, :id", r":id, :until: only :since is known"),
    ],
)
def test_what_is_no_single_query_is_refused(query, why):
    with pytest.raises(SourceError, match=rf"source\.x: {why}"):
        read_words(query, "postgresql", "source.x")
