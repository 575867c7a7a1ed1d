"""`python -m keras_pixel`: the command line."""

from keras_pixel.cli import main

if __name__ == "__main__":
    main()
