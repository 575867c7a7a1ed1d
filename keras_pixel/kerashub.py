"""A model of this package as a task of KerasHub.

KerasHub's tasks load from a preset and `generate`. This one holds any
`PixelModel` as its backbone, so that programs written for KerasHub can draw
with it. It is imported by itself, since KerasHub takes seconds to import::

    from keras_pixel.kerashub import ImageGenerator

Source: `keras_hub.models.Task`,
https://keras.io/keras_hub/api/base_classes/task. Differs from its other tasks:
the likelihood is the backbone's own, so training, scoring and saving are the
backbone's too.
"""

import keras
import keras_hub
import numpy as np

from keras_pixel.models import PixelModel
from keras_pixel.presets import load


@keras.saving.register_keras_serializable(package="keras_pixel")
class ImageGenerator(keras_hub.models.Task):
    """Generates images with a `PixelModel`, as KerasHub's tasks do.

    Args:
        backbone: a `PixelModel`.
        preprocessor: `None`. Images are integer levels, which the backbone
            takes as they are.
        **kwargs: other arguments of `keras_hub.models.Task`.

    Raises:
        TypeError: if the backbone is of another class.
        ValueError: if a preprocessor is given.

    Example:

    ```python
    generator = ImageGenerator.from_preset("pixelcnn_mnist")
    images = generator.generate(num_images=4, seed=0)  # (4, 28, 28, 1)
    ```
    """

    def __init__(self, backbone, preprocessor=None, **kwargs):
        if not isinstance(backbone, PixelModel):
            raise TypeError(
                "`backbone` must be a `keras_pixel.PixelModel`. Received: "
                f"backbone={backbone!r} of type {type(backbone).__name__}. "
                "`ImageGenerator.from_preset(name)` makes one."
            )
        if preprocessor is not None:
            raise ValueError(
                "`preprocessor` must be None: the backbone takes integer "
                f"levels. Received: preprocessor={preprocessor!r}. Quantise "
                "images before, as `keras_pixel.data.load_data` does."
            )
        # Before the constructor, which compiles the task and so the backbone.
        self.backbone = backbone
        self.preprocessor = None
        super().__init__(
            inputs=backbone.input, outputs=backbone.output, **kwargs
        )

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Load the backbone from a preset, with every file checked.

        Args:
            preset: as for `keras_pixel.load`: a name of the zoo, a folder, or
                an address such as `"hf://owner/name"`.
            load_weights: bool. `False` gives new, random weights.
            **kwargs: other arguments of `keras_pixel.load`.

        Returns:
            An `ImageGenerator`.
        """
        return cls(load(preset, weights=load_weights, **kwargs))

    def save_to_preset(self, preset_dir, max_shard_size=10):
        """Save the backbone as a preset, which `keras_pixel.load` reads too.

        Args:
            preset_dir: path of the folder to create.
            max_shard_size: not used: the weights are one file.
        """
        del max_shard_size
        self.backbone.save_preset(preset_dir)

    def generate(self, inputs=None, **kwargs):
        """Draw new images, or the masked pixels of images.

        Args:
            inputs: what is drawn. `None`, `num_images` new images. Class ids
                or names, an image of each, where the model has classes. Or a
                dict with `"images"`, levels `(batch, height, width,
                channels)`, and `"masks"`, bool `(height, width)` or `(batch,
                height, width)`, True where a pixel is to be drawn anew: as in
                `keras_hub.models.Inpaint`, and the opposite of
                `PixelModel.complete`'s mask. It may also have `"labels"`.
            **kwargs: other arguments of `PixelModel.sample`, or with images
                of `PixelModel.complete`, such as `num_images`, `seed` and
                `temperature`.

        Returns:
            NumPy uint8 array of levels `(batch, height, width, channels)`.

        Raises:
            ValueError: if an argument is missing or out of range.
        """
        if not isinstance(inputs, dict):
            return self.backbone.sample(labels=inputs, **kwargs)
        needed, known = {"images", "masks"}, {"images", "masks", "labels"}
        if not needed <= set(inputs) <= known:
            raise ValueError(
                "`inputs` must have the keys 'images' and 'masks', and may "
                f"have 'labels'. Received: inputs with {sorted(inputs)}."
            )
        keep = np.asarray(inputs["masks"]) == 0
        return self.backbone.complete(
            inputs["images"], keep, labels=inputs.get("labels"), **kwargs
        )

    # What the backbone does better than a task of no special kind.

    def compile(self, optimizer="adam", **kwargs):
        """Configure training, see `PixelModel.compile`."""
        self.backbone.compile(optimizer, **kwargs)

    def fit(self, x=None, y=None, **kwargs):
        """Train the backbone, see `PixelModel.fit`."""
        return self.backbone.fit(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """Mean loss and bits/dim, see `PixelModel.evaluate`."""
        return self.backbone.evaluate(x, y, **kwargs)

    def predict(self, x, **kwargs):
        """The parameters of the pixels' distribution, as Keras gives them."""
        return self.backbone.predict(x, **kwargs)
