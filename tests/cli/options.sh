#!/bin/sh
# Options and overrides that are wrong: one line, and nothing made.
. "$SOURCE/tests/lib/cli.sh"
toy_grid

# usage WORDS: what `csweep toy.ini WORDS` must complain about, in one line
refused() {
    complaint=$1
    shift
    runs 2 toy.ini "$@"
    warns "csweep run: $complaint; see csweep run --help"
    unchanged
}

refused '--frob: unknown option or missing value' --frob
refused '--jobs: unknown option or missing value' --jobs
refused '--jobs 0: expected N, N% or -N' --jobs 0
refused '--jobs two: expected N, N% or -N' --jobs two
refused '--jobs 1.5: expected N, N% or -N' --jobs 1.5
refused '--jobs 0%: expected N, N% or -N' --jobs 0%
refused '--fuse 0: expected auto, off or a number' --fuse 0
refused '--retries -1: expected a whole number' --retries -1
refused '--device tpu: expected auto, cpu or cuda' --device tpu

runs 2 run
warns 'csweep run: no grid file given; see csweep run --help'
runs 2 plan
warns 'csweep plan: no grid file given; see csweep plan --help'
runs 2 plan --frob toy.ini
warns 'csweep plan: --frob: unknown option or missing value; see csweep plan --help'
runs 4 toy.ini --device cuda
warns 'csweep: --device cuda: this build has no CUDA backend; use --device cpu'

# overrides are grid text
runs 3 toy.ini llr=3
warns 'command line: llr: no such key; did you mean lr?'
runs 3 toy.ini lr=abc
warns 'command line: lr = abc: must be a number >= 0'
runs 3 toy.ini lr
warns 'command line: lr: expected KEY=VALUE'
runs 3 toy.ini --preset nope
warns 'command line: --preset nope: the file has no [preset ...]'
unchanged
