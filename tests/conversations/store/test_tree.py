"""Branches, by numbers alone."""

import pytest

from conversations.store.tree import Tree

#  1 - 2 - 3 - 6
#    \ 4     \ 7
#      5 (another root)
TREE = Tree([(1, None), (2, 1), (3, 2), (4, 1), (5, None), (6, 3), (7, 3)])


@pytest.mark.parametrize(
    ("head", "path"), [(6, [1, 2, 3, 6]), (7, [1, 2, 3, 7]), (4, [1, 4]), (2, [1, 2]), (None, [5]), (99, [5])]
)
def test_path(head: int | None, path: list[int]) -> None:
    assert TREE.path(head) == path


@pytest.mark.parametrize(("number", "leaf"), [(1, 4), (2, 7), (6, 6), (None, 5)])
def test_leaf_is_the_newest_end(number: int | None, leaf: int) -> None:
    assert TREE.leaf(number) == leaf


@pytest.mark.parametrize(("number", "beside"), [(1, [1, 5]), (2, [2, 4]), (3, [3]), (7, [6, 7])])
def test_siblings(number: int, beside: list[int]) -> None:
    assert TREE.siblings(number) == beside


def test_nothing_said_yet() -> None:
    assert (Tree([]).path(None), Tree([]).leaf(None)) == ([], None)


def test_a_branch_of_ten_thousand_messages() -> None:
    tree = Tree([(1, None), *((n, n - 1) for n in range(2, 10_001))])
    assert tree.path(None) == list(range(1, 10_001))
