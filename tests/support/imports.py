"""Reads what a source file of the package imports, without running it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module_name(path):
    """`keras_pixel/layers/__init__.py` -> `keras_pixel.layers`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_inner_package = parts[-1] == "__init__" and len(parts) > 2
    return ".".join(parts[:-1] if is_inner_package else parts)


def room_of(module):
    """`keras_pixel.layers.x` -> `layers`; `keras_pixel` -> `__init__`."""
    return (module.split(".") + ["__init__"])[1]


def exists(module):
    path = ROOT.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported_modules(node, module, is_package):
    """Full names of the modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parents = module.split(".")
        parents = parents[: len(parents) - node.level + is_package]
        base = ".".join(parents + ([base] if base else []))
    if base.split(".")[0] != "keras_pixel":
        return [base]
    names = [f"{base}.{alias.name}" for alias in node.names]
    return [name if exists(name) else base for name in names]


def uses_keras_ops(node):
    if isinstance(node, ast.ImportFrom):
        is_ops = (node.module or "").startswith("keras.ops")
        from_keras = node.module == "keras"
        return is_ops or (
            from_keras and any(alias.name == "ops" for alias in node.names)
        )
    return isinstance(node, ast.Attribute) and (
        ast.unparse(node) in ("keras.ops", "keras.src")
    )
