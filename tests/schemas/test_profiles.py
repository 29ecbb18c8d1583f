"""A template knows its leaves, its columns and what each must be told."""

from typing import get_args

import pytest

from schemas.mapping import ChannelType, IdentifierType
from schemas.profiles import RULES, Array, Column, Constant, Leaf, Object, Rule, Template, walk
from schemas.values import Kind

MEMBER, PHONE = Column("member", Kind.TEXT), Column("phone", Kind.MOBILE)


def leaf(target, column, **more):
    return Leaf(target, target, column, Rule(), **more)


TREE = Object(
    (
        ("a", Array((Object((("b", leaf("member", MEMBER, rejects=True)), ("c", Constant(1)))), leaf("one", PHONE)))),
        ("d", leaf("two", PHONE)),
        ("e", leaf("three", MEMBER, required=True)),
    )
)
TEMPLATE = Template(TREE, (), (), MEMBER, Column("changed", Kind.DATETIME))


def test_leaves_come_in_the_trees_order():
    assert [leaf.target for leaf in walk(TREE)] == ["member", "one", "two", "three"]


def test_columns_come_once_with_key_and_order():
    assert TEMPLATE.columns() == (MEMBER, PHONE, Column("changed", Kind.DATETIME))


@pytest.mark.parametrize(("target", "told"), [("member", True), ("one", False), ("two", False), ("three", True)])
def test_required_targets_and_the_key_must_be_told(target, told):
    (found,) = [leaf for leaf in TEMPLATE.leaves() if leaf.target == target]
    assert TEMPLATE.must_be_told(found) is told


def test_every_rule_is_about_a_known_word():
    identifiers, channels = get_args(IdentifierType), get_args(ChannelType)
    for target in RULES:
        first, second, *_ = [*target.split("."), ""]
        assert first != "identifiers" or second in identifiers
        assert first != "commChannels" or second in (*channels, "*")


@pytest.mark.parametrize("target", RULES)
def test_a_rule_fits_the_kind_it_is_for(target):
    rule = RULES[target]
    assert rule.form != "number" or rule.kind is Kind.INTEGER
    assert (rule.form == "boolean") == (rule.kind is Kind.BOOLEAN)
    assert rule.minimum is None or rule.kind is Kind.INTEGER
    assert rule.when == "any" or rule.kind is Kind.DATETIME
