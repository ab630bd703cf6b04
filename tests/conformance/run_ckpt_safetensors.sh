#!/bin/sh
# The safetensors package reads ours, and we read its files.
TMPDIR=$SCRATCH exec "$VENV_PYTHON" "$SOURCE/tests/conformance/ckpt_safetensors.py" "$BUILD_DEV/tests/ckpt_sample"
