"""tbw_media_torch.py LOGDIR - the calls of tbw_media_sample.c that torch's SummaryWriter has too, made with it.

Run by run_tbw_media.py under the Python that has Debian's torch, which finds the package tensorboard at TENSORBOARD_SITE.
"""

import os
import sys

sys.path.append(os.environ["TENSORBOARD_SITE"])  # last: the libraries of this Python come first
import numpy
import torch

greater = numpy.greater
numpy.greater = lambda a, b, dtype=None: greater(a, b)  # torch 1.13 asks for a type that numpy 1.24 refuses
from torch.utils.tensorboard import SummaryWriter

from tbw_media_data import SAMPLES, SIDE, STEPS, VALUES, curve, number, numbers, pixels, weights


def main():
    writer = SummaryWriter(os.path.join(sys.argv[1], "media"))
    for step in range(STEPS):
        writer.add_scalar("Loss", number(step), step)
        writer.add_text("Note", "| a | b |\n|---|---|\n| 1 | **2** |", step)
        writer.add_histogram("Weights/torch", weights(step), step)
        writer.add_image("Images/rgb", pixels(step, 2), step, dataformats="HWC")
        labels, scores = curve(step)
        writer.add_pr_curve("Curves/class", labels, scores, step, num_thresholds=127)
        writer.add_audio("Sound", torch.tensor(2 * numbers(range(step, step + 800)) - 1).reshape(1, -1), step, 8000)
        vertices = torch.tensor(numbers(range(step, step + 12))).reshape(1, 4, 3)
        faces = torch.tensor([0, 1, 2, 0, 1, 3, 0, 2, 3, 1, 2, 3], dtype=torch.int32).reshape(1, 4, 3)
        colors = torch.tensor([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0], dtype=torch.uint8).reshape(1, 4, 3)
        writer.add_mesh("Mesh", vertices, colors, faces, global_step=step)
    writer.add_custom_scalars({"Learning": {"Loss": ["Multiline", ["Loss", "Drawn/.*"]]}})
    writer.add_hparams({"lr": 0.5, "optimizer": "adam"}, {"Result": 0.5}, run_name=".")
    writer.close()


if __name__ == "__main__":
    main()
