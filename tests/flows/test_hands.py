"""Workers give results in order, and never run far ahead of whoever takes them."""

from flows.hands import in_order, pool


class Kept:
    """A promise that is kept at once."""

    def __init__(self, value: int) -> None:
        self.value = value

    def result(self) -> int:
        return self.value


def squared(number: int) -> int:
    return number * number


def test_results_come_in_the_order_of_works():
    assert list(in_order(lambda n: Kept(n * n), range(7), ahead=3)) == [0, 1, 4, 9, 16, 25, 36]


def test_works_are_begun_only_a_few_ahead():
    begun: list[int] = []
    results = in_order(lambda n: begun.append(n) or Kept(n), iter(range(100)), ahead=2)
    assert [next(results), next(results)] == [0, 1]
    assert begun == [0, 1, 2, 3]


def test_threads_and_processes_give_the_same():
    for kind in ("threads", "processes"):
        with pool(kind, 2) as workers:
            assert list(workers(squared, range(20))) == [n * n for n in range(20)]
