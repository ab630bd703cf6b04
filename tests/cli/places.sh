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
refused 'dataset fashion-mnist: no readable train-images-idx3-ubyte(.gz) in /nonexistent; install the package '\
'dataset-fashion-mnist or set path' "$@" path=/nonexistent

# damaged: the headers are read before anything is made
mkdir data
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
    echo text | gzip > data/$name-ubyte.gz
done
note
refused 'data/train-images-idx3-ubyte.gz: ends early; expected 11 bytes more' "$@" path=data
rm -rf data

# cut short behind its header: found when it is read; the trials fail, one line says why
mkdir data
cp /usr/share/datasets/fashion-mnist/* data
gzip -dc data/t10k-images-idx3-ubyte.gz | head -c 1016 > data/t10k-images-idx3-ubyte
rm data/t10k-images-idx3-ubyte.gz
runs 1 "$@" path=data optimizer=sgd lr=0.1 --logdir damaged --checkpoints damaged.git
warns 'csweep: 0001 failed: data/t10k-images-idx3-ubyte: ends early; expected 7839000 bytes more'
tail -n 1 "$talk/out" > "$talk/last"
same "$talk/last" "the last line" '0 done, 1 failed of 1 trials'
note

# kernels for checking: said, in one line
export CSWEEP_CPU=generic
runs 0 toy.ini epochs=1 seeds=1 --logdir slow --checkpoints slow.git
warns 'csweep: CSWEEP_CPU = generic: slow kernels, for checking'
runs 0 toy.ini epochs=2 seeds=1 --logdir slow --checkpoints slow.git --quiet
note
export CSWEEP_CPU=foo
refused 'CSWEEP_CPU = foo: must be one of generic, avx2, avx512, ref' toy.ini
