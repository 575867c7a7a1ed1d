"""Writes the zoo's tables, and its cards, from the presets' metadata.

    python -m tools.generate_tables

Run it from the root of a checkout after a preset has been published.
`--check` writes nothing and fails if something is not up to date.
"""

import argparse
import hashlib
import json
import pathlib
from collections.abc import Mapping

from tools import cards


def pages(
    root: pathlib.Path | None = None, zoo: pathlib.Path | None = None
) -> dict[pathlib.Path, str]:
    """Path -> text of every generated page."""
    root, zoo = root or cards.ROOT, zoo or cards.ZOO
    presets = cards.read_all(zoo)
    texts = {
        zoo / name / "README.md": cards.card(metadata)
        for name, metadata in presets.items()
    }
    for path, prefix in ((zoo / "README.md", ""), (root / "README.md", "zoo/")):
        text = path.read_text(encoding="utf-8")
        texts[path] = cards.with_table(text, cards.table(presets, prefix))
    return texts


def outdated(texts: Mapping[pathlib.Path, str]) -> list[pathlib.Path]:
    """Paths of pages that are missing or say something else."""
    return [
        path
        for path, text in texts.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def write(texts: Mapping[pathlib.Path, str]) -> list[pathlib.Path]:
    """Writes what is outdated; a card's hash in the metadata follows."""
    written = outdated(texts)
    for path in written:
        data = texts[path].encode()
        path.write_bytes(data)
        metadata_path = path.parent / "metadata.json"
        if metadata_path.is_file():
            metadata = json.loads(metadata_path.read_text(encoding="utf-8"))
            metadata["files"]["README.md"] = {
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
            metadata_path.write_text(text, encoding="utf-8")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    texts = pages()
    found = outdated(texts) if arguments.check else write(texts)
    for path in found:
        print(path.relative_to(cards.ROOT))
    if arguments.check and found:
        raise SystemExit("These pages are outdated: run without --check.")


if __name__ == "__main__":
    main()
