"""Which doors a server has, and what they answer while nobody else asks."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from benchmarks.door_answers import comparable, examine
from benchmarks.doors import Asked, Client, Options, Recipe

__all__ = ["Found", "Valid", "ask_alone", "probe"]

_OK: Final = 200
_ABSENT: Final = 404
_SECONDS: Final = 300  # timeout for a server that hangs


class Valid(NamedTuple):
    """A valid request and what it gets alone.

    Attributes:
        recipe: How it is made.
        file: The file in it.
        options: Its options.
        asked: The request.
        answers: The answers that it may get; see `comparable`.
    """

    recipe: Recipe
    file: bytes
    options: Options
    asked: Asked
    answers: frozenset[bytes]


class Found(NamedTuple):
    """What a server has.

    Attributes:
        present: A valid request for each recipe whose door answers.
        absent: Names of the doors that answer all valid requests with 404.
        wrong: A line for each recipe whose valid request gets an error.
    """

    present: list[Valid]
    absent: list[str]
    wrong: list[str]


def probe(port: int, recipes: Iterable[Recipe], file: bytes) -> Found:
    """Ask every door for a valid file.

    Args:
        port: The server's.
        recipes: Ways to have a file read.
        file: A picture file.

    Raises:
        Lost: A request is not answered.
    """
    found = Found([], [], [])
    with Client(port, _SECONDS) as client:
        for recipe in recipes:
            asked = recipe.build(file, {})
            answer = client.ask(asked)
            outcome = examine(asked, answer)
            if _ABSENT in (answer.status, outcome.status):
                found.absent.append(recipe.door)
            elif outcome.problem or outcome.status != _OK:
                problem = outcome.problem or f"status {outcome.status}: {answer.body[:300]!r}"
                found.wrong.append(f"{recipe.name}, a valid request: {problem}")
            else:
                found.present.append(ask_alone(client, recipe, file, {}, 1))
    doors = {one.recipe.door for one in found.present}
    return found._replace(absent=sorted(set(found.absent) - doors))


def ask_alone(client: Client, recipe: Recipe, file: bytes, options: Options, tries: int) -> Valid:
    """Ask for a file while nobody else asks for anything.

    Args:
        client: Asks.
        recipe: How.
        file: The file.
        options: Options.
        tries: How often; a page's first reading may differ in a digit, if an engine has just met its size.

    Raises:
        Lost: A request is not answered.
    """
    asked = recipe.build(file, options)
    answers = frozenset(comparable(client.ask(asked)) for _ in range(tries))
    return Valid(recipe, file, options, asked, answers)
