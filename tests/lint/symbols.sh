#!/bin/sh
# What a library exports carries its prefix.
faults=0

check() {
    library=$BUILD/$1/libcs_$1.a
    names=$(nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }') && [ -n "$names" ] || {
        echo "$library: no symbols"
        exit 1
    }
    strays=$(echo "$names" | grep -vE "^($2)_")
    [ -z "$strays" ] && return
    echo "$1: not ${2}_: $strays"
    faults=1
}

check common cs
check kernels kern
check tbwriter 'tbw|tensorboard__'
check checkpoints 'ckpt|st'
check trainer train
check sweep sweep
exit $faults
