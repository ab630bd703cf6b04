"""tbw_media_data.py - the numbers of tbw_media_sample.c."""

import numpy

STEPS, VALUES, SIDE, SAMPLES = 3, 4000, 12, 500


def numbers(indices):
    products = (numpy.array(list(indices), dtype=numpy.uint64) * 2654435761) % 2**32
    return ((products >> numpy.uint64(8)).astype(numpy.float64) / 2**24).astype(numpy.float32)


def number(i):
    return float(numbers([i])[0])


def weights(step):
    scale = numpy.where(numpy.arange(VALUES) % 2 == 1, 1, numpy.float32(0.001)).astype(numpy.float32)
    return (numbers(range(VALUES)) - numpy.float32(0.5)) * numpy.float32(step + 1) * scale


def pixels(step, n):
    """Image n of a step: [height][width][channels]."""
    width, channels = SIDE + 4 + n, n + 1
    count = SIDE * width * channels
    flat = (256 * numbers(range(100 * step + n, 100 * step + n + count))).astype(numpy.uint8)
    return flat.reshape(SIDE, width, channels)


def curve(step):
    half, i = numpy.float32(0.5), range(SAMPLES)
    labels = numbers(7 * k + step for k in i) > numpy.float32(0.6)
    scores = half * numbers(i) + numpy.where(labels, half, numpy.float32(0)) * numbers(3 * k for k in i)
    scores[0], scores[1] = 0, 1
    return labels.astype(numpy.uint8), scores
