"""Pairs: one thing in each of the two regions, the primary's first."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
U = TypeVar("U")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@dataclass(frozen=True)
class Pair(Generic[T]):
    """One thing in both regions.

    ``Pair.of(… for region, key in regions.zip(keys))`` makes one from several others.
    """

    primary: T
    secondary: T

    @classmethod
    def of(cls, both: Iterable[T]) -> "Pair[T]":
        """Of an iterable of two, primary first."""
        primary, secondary = both
        return cls(primary, secondary)

    def __iter__(self) -> Iterator[T]:
        """Primary first."""
        return iter((self.primary, self.secondary))

    def map(self, make: Callable[[T], U]) -> "Pair[U]":
        """The same made of each."""
        return Pair(make(self.primary), make(self.secondary))

    def swapped(self) -> "Pair[T]":
        """Each region's peer."""
        return Pair(self.secondary, self.primary)

    @overload
    def zip(self, a: "Pair[A]", /) -> "Pair[tuple[T, A]]": ...
    @overload
    def zip(self, a: "Pair[A]", b: "Pair[B]", /) -> "Pair[tuple[T, A, B]]": ...
    @overload
    def zip(self, a: "Pair[A]", b: "Pair[B]", c: "Pair[C]", /) -> "Pair[tuple[T, A, B, C]]": ...
    @overload
    def zip(
        self, a: "Pair[A]", b: "Pair[B]", c: "Pair[C]", d: "Pair[D]", /
    ) -> "Pair[tuple[T, A, B, C, D]]": ...
    def zip(self, *others: "Pair[Any]") -> "Pair[Any]":
        """Each region's things of this pair and the others, as a tuple."""
        return Pair(
            (self.primary, *(other.primary for other in others)),
            (self.secondary, *(other.secondary for other in others)),
        )
