"""Policies: actions drawn one dimension after the other, given what is seen.

An action is an image of one row, `(1, D, 1)`: each of its `D` dimensions is
cut into bins, and each is drawn given the observation and the dimensions
before it. So an action is drawn from one of several that fit, never from
between them, and its dimensions may depend on each other.

Source: Metz et al., 2017, "Discrete Sequential Prediction of Continuous
Actions for Deep RL", https://arxiv.org/abs/1705.05035, for actions drawn
dimension by dimension; Reed et al., 2022, "A Generalist Agent",
https://arxiv.org/abs/2205.06175, for training them by likelihood on
demonstrations. Differs from them: no values of actions are learned, and each
action is drawn from the present observation alone.
"""

from typing import Any

import numpy as np

from keras_pixel.data.discretizer import Discretizer


class Policy:
    """Draws actions from a model that is told observations.

    Train the model as any other, on `levels(actions)` and observations; save
    it with `model.save_preset(path)`, which keeps encoder and discretizer,
    and load it with `Policy(keras_pixel.load(path))`.

    Args:
        model: `PixelModel` of `(1, num_dims, 1)` images with a `condition`,
            the encoder of observations, and no labels.
        discretizer: `keras_pixel.data.Discretizer` of actions, fitted, with
            as many bins as the model has levels; it is set as
            `model.discretizer`. Defaults to `None`: the model's own.

    Attributes:
        model: the model.
        discretizer: its discretizer.
        num_dims: int. Dimensions of an action.

    Raises:
        ValueError: if model and discretizer do not fit each other.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_pixel import models
    >>> from keras_pixel.data import Discretizer
    >>> seen = keras.Input((3,))
    >>> encoder = keras.Model(seen, keras.layers.Dense(8, "relu")(seen))
    >>> model = models.PixelLSTM(
    ...     (1, 2, 1), 16, hidden_dim=8, num_layers=1, condition=encoder
    ... )
    >>> policy = Policy(model, Discretizer(16, low=-1.0, high=1.0, num_dims=2))
    >>> policy.act(np.zeros(3), seed=0).shape
    (2,)
    >>> policy.act(np.zeros((5, 3)), seed=0).shape
    (5, 2)
    """

    def __init__(self, model: Any, discretizer: Discretizer | None = None):
        shape = tuple(getattr(model, "image_shape", ()))
        if len(shape) != 3 or (shape[0], shape[2]) != (1, 1):
            raise ValueError(
                "`model` must be of images (1, num_dims, 1), one value for "
                f"each dimension of an action. Received: image_shape={shape}. "
                "Build it with `image_shape=(1, num_dims, 1)`."
            )
        if model.conditions.names != ["condition"]:
            raise ValueError(
                "`model` must be told observations, and nothing else. "
                f"Received: a model told {model.conditions.names}. Build it "
                "with `condition=`, an encoder of observations."
            )
        found = model.discretizer if discretizer is None else discretizer
        if found is None:
            raise ValueError(
                "`discretizer` must be given, or be set on the model. "
                "Received: discretizer=None, model.discretizer=None. Give "
                "`keras_pixel.data.Discretizer(num_levels).fit(actions)`."
            )
        num_dims = shape[1]
        if (
            found.num_bins != model.num_levels
            or found.num_dims not in (None, num_dims)  # None: all alike
        ):
            raise ValueError(
                "`discretizer` must have as many bins as the model has "
                "levels, and its dimensions. Received: num_bins="
                f"{found.num_bins}, num_dims={found.num_dims}, for "
                f"{model.num_levels} levels and {num_dims} dimensions. Use "
                f"`Discretizer({model.num_levels}, num_dims={num_dims})`."
            )
        edges = found.bin_edges  # refuses one that is not fitted
        self.model = model
        model.discretizer = found
        self.num_dims = num_dims
        self._edges = np.broadcast_to(edges, (num_dims, edges.shape[-1]))
        self._observed_rank = len(model.inputs[1].shape) - 1

    @property
    def discretizer(self) -> Discretizer:
        return self.model.discretizer

    def levels(self, actions: Any) -> np.ndarray:
        """Actions as images, which the model is trained on.

        Args:
            actions: float array `(batch, num_dims)`.

        Returns:
            uint8 array of levels `(batch, 1, num_dims, 1)`.

        Raises:
            ValueError: if the shape is another, or a value not finite.
        """
        actions = np.asarray(actions)
        if actions.ndim != 2 or actions.shape[1] != self.num_dims:
            raise ValueError(
                f"`actions` must have the shape (batch, {self.num_dims}). "
                f"Received: actions.shape={actions.shape}. Reshape them."
            )
        return self.discretizer.transform(actions)[:, None, :, None]

    def act(
        self,
        observation: Any,
        seed: int | np.random.Generator | None = None,
        temperature: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Draw actions.

        The first call for a batch size compiles the sampler, which can take
        many seconds.

        Args:
            observation: array, one observation or a batch of them.
            seed: int that makes the noise, `None` for fresh noise, or a NumPy
                generator. In a loop of steps use a generator: the same int
                gives the same noise in every step. Defaults to `None`.
            temperature: float above 0, or one per observation. Below 1 the
                actions are more probable and less varied. Defaults to `1.0`.
            batch_size: int. Actions drawn at once. Defaults to `64`.

        Returns:
            float64 array `(num_dims,)`, or `(batch, num_dims)` for a batch:
            the values that the bins stand for.

        Raises:
            ValueError: if an observation has another shape, is not finite, or
                another argument is out of range.
        """
        single = np.ndim(observation) == self._observed_rank
        count = 1 if single or observation is None else len(observation)
        drawn = self.model.sample(
            count,
            condition=self._checked(observation, count),
            seed=seed,
            temperature=temperature,
            batch_size=batch_size,
        )
        actions = self.discretizer.inverse_transform(drawn[:, 0, :, 0])
        return actions[0] if single else actions

    def log_prob(
        self,
        observation: Any,
        action: Any,
        density: bool = False,
        batch_size: int = 64,
    ) -> Any:
        """Log-probability of actions.

        Args:
            observation: array, one for all actions or one for each.
            action: float array `(num_dims,)`, or `(batch, num_dims)`. A value
                out of bounds counts as of the first or the last bin.
            density: bool. `False` for the probability of the bins that the
                action lies in. `True` for its density, which is constant in a
                bin: the probability over the product of the bins' widths, and
                0 out of bounds. Densities of policies with other bins, or
                without, compare with it. Defaults to `False`.
            batch_size: int. Actions that go through the network at once.
                Defaults to `64`.

        Returns:
            NumPy float32, nats: a number, or an array `(batch,)` for a batch
            of actions.

        Raises:
            ValueError: if a shape is wrong or a value not finite, or if a bin
                of an action has no width, with `density=True`.
        """
        single = np.ndim(action) == 1
        actions = np.asarray(action)[None] if single else np.asarray(action)
        images = self.levels(actions)
        found = self.model.log_prob(
            images,
            condition=self._checked(observation, len(images)),
            batch_size=batch_size,
        )
        if density:
            found = self._density(found, actions, images[:, 0, :, 0])
        return found[0] if single else found

    def _density(
        self, log_prob: np.ndarray, actions: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        dims = np.arange(self.num_dims)
        widths = np.diff(self._edges)[dims, levels]  # (batch, num_dims)
        if not (widths > 0).all():
            raise ValueError(
                "`density` needs bins that have a width. Received: an action "
                "in a bin of one value. Use `density=False`, or uniform bins."
            )
        low, high = self._edges[:, 0], self._edges[:, -1]
        inside = ((actions >= low) & (actions <= high)).all(axis=1)
        found = log_prob - np.log(widths).sum(axis=1)
        return np.where(inside, found, -np.inf).astype("float32")

    def _checked(self, observation: Any, count: int | None) -> np.ndarray:
        return self.model.conditions.check_context(
            observation, count, name="observation"
        )
