"""Trains recipes on some devices, one after the other.

    python train_on_devices.py RECIPES FOLDERS DEVICES [ADDRESS COUNT ID]

Recipes, folders and numbers of devices (or "None") are lists with commas;
address, count and id are those of processes that train together.
"""

import sys

from keras_pixel import training

recipes, folders, devices, *process = sys.argv[1:]
if process:
    training.join_processes(process[0], int(process[1]), int(process[2]))
for recipe, folder, number in zip(
    recipes.split(","), folders.split(","), devices.split(","), strict=True
):
    result = training.train(
        recipe,
        folder,
        devices=None if number == "None" else int(number),
        progress=False,
    )
    print("nothing" if result is None else result.preset_dir)
