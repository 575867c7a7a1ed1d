"""What leaves the process: exports, preset folders, uploads."""

from collections.abc import Callable

from keras_pixel import presets


class PublishableModel:
    """Mixin: a model that is exported, saved as a preset and loaded."""

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Write the model for use without this package, sampler included.

        Args:
            filepath: folder to write.
            format: "tf_saved_model", "onnx" or "triton".
            **kwargs: arguments of `keras_pixel.export.saved_model`,
                `keras_pixel.export.onnx` or `keras_pixel.export.triton`.

        Raises:
            ValueError: if there is no such format.
        """
        from keras_pixel import export

        formats: dict[str, Callable] = {
            "tf_saved_model": export.saved_model,
            "onnx": export.onnx,
            "triton": export.triton,
        }
        if format not in formats:
            raise ValueError(
                f"`format` must be one of {list(formats)}. "
                f"Received: format={format!r}"
            )
        return formats[format](self, filepath, **kwargs)

    def save_preset(
        self, path, metadata=None, dtype="float32", overwrite=False, files=None
    ):
        """Write a preset folder; `keras_pixel.load(path)` gives it back.

        Args:
            path: the folder to make.
            metadata: dict of what is worth knowing about the model (JSON
                values), or `None`.
            dtype: "float32" keeps the weights exactly; "float16" halves the
                file and rounds them.
            overwrite: bool. Whether a preset that is at `path` already is
                replaced. Defaults to `False`.
            files: dict of other files for the folder, name to bytes, or
                `None`.

        Returns:
            The folder's absolute path, a `pathlib.Path`.

        Raises:
            FileExistsError: if `path` exists, unless it is a preset and
                `overwrite=True`.
            ValueError: if the class is not registered, or weights are too
                large for float16.
        """
        return presets.save_preset(
            self,
            path,
            metadata=metadata,
            dtype=dtype,
            overwrite=overwrite,
            files=files,
        )

    # KerasHub's names for the same.
    save_to_preset = save_preset

    def push_to_hub(
        self,
        repo_id,
        *,
        metadata=None,
        dtype="float32",
        private=None,
        revision=None,
        commit_message=None,
        token=None,
    ):
        """Upload the model to the Hugging Face Hub, as a preset with a card.

        See `keras_pixel.presets.push_to_hub` for arguments and errors.

        Returns:
            Its address with the commit, which `keras_pixel.load` takes.
        """
        return presets.push_to_hub(
            self,
            repo_id,
            metadata=metadata,
            dtype=dtype,
            private=private,
            revision=revision,
            commit_message=commit_message,
            token=token,
        )

    @classmethod
    def from_preset(cls, name_or_path, **kwargs):
        """Load a trained model of this class; see `keras_pixel.load`.

        Args:
            name_or_path: as in `keras_pixel.load`.
            **kwargs: other arguments of `keras_pixel.load`.

        Raises:
            ValueError: if the preset's model is of another class.
        """
        model = presets.load(name_or_path, **kwargs)
        if not isinstance(model, cls):
            raise ValueError(
                f"`{cls.__name__}.from_preset` needs a preset of a "
                f"{cls.__name__}. Received: name_or_path={name_or_path!r}, a "
                f"{type(model).__name__}. Use `keras_pixel.load`, which takes "
                "any."
            )
        return model
