#!/bin/sh
# What we write, in front of TensorBoard's two readers.
"$BUILD_DEV/tests/tbw_sample" "$SCRATCH/logs" || exit 1
exec "$VENV_PYTHON" "$SOURCE/tests/conformance/tbw_tensorboard.py" "$SCRATCH/logs"
