#!/bin/sh
# Places that cannot be written, data that cannot be read, an instruction set that is none: exit status 4, one line,
# nothing half-made. (Permissions would not stop root, so the places are under files.)
. "$SOURCE/tests/lib/cli.sh"
toy_grid
echo text > file
note

refused() {
    complaint=$1
    shift
    runs 4 "$@"
    says < /dev/null
    warns "csweep: $complaint"
    unchanged
}

refused '/dev/null/x: cannot make the folder: Not a directory' toy.ini --logdir /dev/null/x
refused 'file/x: cannot make the folder: Not a directory' toy.ini --logdir file/x
refused 'file: is not a folder' toy.ini --checkpoints file/x
refused 'file: not a bare git repository: path is not a repository: file' toy.ini --checkpoints file

set -- toy.ini dataset=fashion-mnist 'layers=flatten > linear 8 > relu > linear 10'
refused '/nonexistent/train-images-idx3-ubyte.gz: cannot open: No such file or directory' "$@" path=/nonexistent
mkdir data
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
    echo text | gzip > data/$name-ubyte.gz
done
note
refused 'data/train-images-idx3-ubyte.gz: not an IDX file' "$@" path=data

export CSWEEP_CPU=foo
refused 'CSWEEP_CPU = foo: must be one of generic, avx2, avx512' toy.ini
