"""Fine-tunes a preset on some devices, one number after the other.

    python finetune_on_devices.py PRESET DATA FOLDERS DEVICES

Folders and numbers of devices (or "None") are lists with commas.
"""

import sys

from keras_pixel import training

preset, data, folders, devices = sys.argv[1:]
for folder, number in zip(folders.split(","), devices.split(","), strict=True):
    result = training.finetune(
        preset,
        data,
        folder,
        values="levels",
        epochs=1,
        batch_size=8,
        devices=None if number == "None" else int(number),
        progress=False,
    )
    print(result.step)
