"""Writes the JSON schema of recipes, which editors complete and check with.

    python -m tools.recipe_schema

Run it from the root of a checkout after a change of the recipe's fields.
`--check` writes nothing and fails if the schema is not up to date.
"""

import argparse
import inspect
import json
import re
from typing import Any

from keras_pixel.training import Recipe
from keras_pixel.training import recipe_fields
from tools import cards

PATH = cards.ROOT / "docs" / "recipe.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON schema, described by the docstrings of the classes."""
    found = _without_titles(Recipe.model_json_schema())
    for name, node in found["$defs"].items():
        _describe(node, getattr(recipe_fields, name))
    _describe(found, Recipe)
    # Says where the schema is; no part of the recipe.
    found["properties"]["$schema"] = {"type": "string"}
    return {"$schema": _DRAFT, "title": "A recipe of keras_pixel", **found}


def text() -> str:
    """The JSON schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def arguments_of(documented: type) -> dict[str, str]:
    """Argument -> description, from the `Args` of a class's docstring."""
    lines = (inspect.getdoc(documented) or "").splitlines()
    if "Args:" not in lines:
        return {}
    found, name = {}, None
    for line in lines[lines.index("Args:") + 1 :]:
        if line and not line.startswith(" "):
            break
        start = re.fullmatch(r"    (\w+): (.*)", line)
        if start:
            name, words = start.groups()
            found[name] = words
        elif line.strip():
            found[name] += " " + line.strip()
    return found


def _describe(node: dict[str, Any], documented: type) -> None:
    node["description"] = (inspect.getdoc(documented) or "").partition("\n")[0]
    for name, words in arguments_of(documented).items():
        node["properties"][name]["description"] = words


def _without_titles(node: Any) -> Any:
    """A JSON schema without the titles that Pydantic makes of the names."""
    if isinstance(node, list):
        return [_without_titles(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_titles(inner)
        for key, inner in node.items()
        # A property may be called "title".
        if key != "title" or not isinstance(inner, str)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text():
        return
    print(PATH.relative_to(cards.ROOT))
    if arguments.check:
        raise SystemExit("The schema is outdated: run without --check.")
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
