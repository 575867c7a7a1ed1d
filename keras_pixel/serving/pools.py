"""The threads that compute: some for scores, others for samples."""

import concurrent.futures

from keras_pixel.export.servable import DRAWING_SIGNATURES


class Pools:
    """Computes requests, so that scores never wait behind samples.

    Args:
        num_threads: int. Requests at once, of either kind.
    """

    def __init__(self, num_threads):
        self._scores, self._drawing = (
            concurrent.futures.ThreadPoolExecutor(num_threads, name)
            for name in ("scores", "drawing")
        )

    def predict(self, servable, signature_name, inputs, output_filter=()):
        """Run `Servable.predict` when its turn comes."""
        is_drawing = signature_name in DRAWING_SIGNATURES
        pool = self._drawing if is_drawing else self._scores
        return pool.submit(
            servable.predict, signature_name, inputs, output_filter
        ).result()

    def shutdown(self):
        """End the threads; waiting requests are never computed."""
        for pool in (self._scores, self._drawing):
            pool.shutdown(cancel_futures=True)
