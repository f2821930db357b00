from collections.abc import Callable

ExpressionChecker = Callable[[str], str | None]
