"""One clear line for a Keras that is missing or too old."""


def check_keras():
    """Refuse Keras before 3.15.

    Raises:
        ImportError: if Keras is missing or too old.
    """
    advice = 'Install it with: pip install --upgrade "keras>=3.15"'
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise ImportError(
                "Keras' backend is missing. "
                f"Received: no module named {error.name!r}. Install it, or "
                "choose another backend with the environment variable "
                "KERAS_BACKEND (tensorflow or jax)."
            ) from error
        raise ImportError(
            f"keras_pixel needs Keras 3.15 or later. {advice}"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < (3, 15):
        raise ImportError(
            "keras_pixel needs Keras 3.15 or later. "
            f"Received: keras=={keras.__version__}. {advice}"
        )
