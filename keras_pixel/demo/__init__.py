"""A page in the browser to try models: `keras-pixel demo`.

`shelf` knows the models, `pictures` turns what a browser sends into levels and
levels into what it shows, `actions` does what the buttons say, and `page` is
their layout: the only file that knows gradio.
"""
