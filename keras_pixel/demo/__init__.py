"""A page in the browser to try models: `keras-pixel demo`.

`shelf` knows the models, `pictures` turns what a browser sends into levels and
levels into what it shows, and `actions` does what the buttons say. `page` lays
them out and `server` serves it: only these two know gradio.
"""
