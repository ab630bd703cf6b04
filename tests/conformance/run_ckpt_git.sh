#!/bin/sh
# The git command line judges our repositories; killed savers leave them whole.
TMPDIR=$SCRATCH exec bash "$SOURCE/tests/conformance/ckpt_git.sh" "$BUILD/tests/ckpt_sample" ${CSWEEP_LONG:+500}
