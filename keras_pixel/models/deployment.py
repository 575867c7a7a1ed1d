"""What a trained model gives to others: features and exports."""

from keras_pixel.checks import check_images
from keras_pixel.models.features import feature_model


class Deployment:
    """Features and exports of a `PixelModel`."""

    def features(self, images, layer=None, pooling=None, batch_size=32):
        """Hidden states of images, for downstream tasks.

        The features of a pixel have seen the pixels before it, and of the
        pixel itself at most the channels before the last one.

        Args:
            images: array or tensor `(batch, height, width, channels)` of
                integer levels.
            layer: name of the layer whose output is wanted; outputs of a
                layer with several are joined. Defaults to `None`: the last
                hidden features, which the model's last layer (the head)
                turns into its output.
            pooling: `None` for the features of every pixel, "mean" or "max"
                over all pixels. Defaults to `None`.
            batch_size: int. Images that go through the network at once.

        Returns:
            NumPy array `(batch, height, width, features)`, or `(batch,
            features)` if pooled.

        Raises:
            TypeError: if the values are not integers.
            ValueError: if shape, range, layer or pooling are wrong.
        """
        images = check_images(images, self.image_shape, self.num_levels)
        model = self.feature_model(layer, pooling)
        return model.predict(images, batch_size=batch_size, verbose=0)

    def feature_model(self, layer=None, pooling=None):
        """The `keras.Model` behind `features`, to be trained further.

        See `features` for the arguments.

        Returns:
            `keras.Model` from images to features; it shares the weights.
        """
        made = vars(self._untracked).setdefault("feature_models", {})
        if (layer, pooling) not in made:
            made[layer, pooling] = feature_model(self, layer, pooling)
        return made[layer, pooling]

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Write the model for use without this package, sampler included.

        Args:
            filepath: folder to write.
            format: "tf_saved_model" or "onnx".
            **kwargs: arguments of `keras_pixel.export.saved_model` or
                `keras_pixel.export.onnx`.

        Raises:
            ValueError: if there is no such format.
        """
        from keras_pixel import export

        formats = {"tf_saved_model": export.saved_model, "onnx": export.onnx}
        if format not in formats:
            raise ValueError(
                f"`format` must be one of {list(formats)}. "
                f"Received: format={format!r}"
            )
        return formats[format](self, filepath, **kwargs)
