"""What folders of models hold, read without loading a model."""

import pathlib


def read_meta_graph(folder):
    """The MetaGraphDef that is served, without loading the model.

    Raises:
        FileNotFoundError: if there is no SavedModel.
        ValueError: if the file is damaged or has nothing to serve.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = pathlib.Path(folder) / "saved_model.pb"
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"A SavedModel's file must be whole. Received: {str(path)!r}, "
            f"which is not: {error}"
        ) from error
    for meta_graph in saved.meta_graphs:
        if "serve" in meta_graph.meta_info_def.tags:
            return meta_graph
    raise ValueError(
        "A SavedModel must have a graph tagged 'serve' to be served. "
        f"Received: {str(path)!r}."
    )


def read_signature_defs(folder):
    """SignatureDef of every signature by name."""
    return dict(read_meta_graph(folder).signature_def)


def uses_xla(folder):
    """Must the server compile parts of the SavedModel by XLA?"""
    functions = read_meta_graph(folder).graph_def.library.function
    return any(
        attributes["_XlaMustCompile"].b
        for function in functions
        for attributes in (
            function.attr,
            *(node.attr for node in function.node_def),
        )
        if "_XlaMustCompile" in attributes
    )


def find_versions(folder, file="saved_model.pb"):
    """Versions in a model's folder: number to `pathlib.Path`, ascending.

    As TF-Serving does, folders whose name is no number are passed over, and
    so are those without `file`.
    """
    folders = (path for path in pathlib.Path(folder).iterdir() if path.is_dir())
    found = {
        int(path.name): path
        for path in folders
        if path.name.isascii()
        and path.name.isdigit()
        and (path / file).is_file()
    }
    return dict(sorted(found.items()))


def find_models(folder):
    """Models in a folder that `tf_serving` wrote: name to `pathlib.Path`.

    The folder of one model, with its versions in it, will do too.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there is no model in it.
    """
    folder = pathlib.Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(
            "`folder` must be a folder of models. "
            f"Received: folder={str(folder)!r}, which does not exist. "
            "`keras-pixel export NAME --to FOLDER --format tf_serving` "
            "writes one."
        )
    if find_versions(folder):
        return {folder.name: folder}
    found = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_dir()
        and not path.name.startswith(".")
        and find_versions(path)
    }
    if not found:
        raise ValueError(
            "`folder` must hold NAME/VERSION/saved_model.pb. "
            f"Received: folder={str(folder)!r}, which does not. "
            "`keras-pixel export NAME --to FOLDER --format tf_serving` "
            "writes one."
        )
    return found
