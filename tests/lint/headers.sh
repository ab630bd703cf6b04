#!/bin/sh
# Every public header compiles alone as C11; those that a C++ compiler of another device will read, as C++20 too.
# Public: all but *_impl.h and kernels/cpu/, whose headers are parts of kernels/cpu/instance.c.
cd "$SOURCE" || exit 1
flags="-D_GNU_SOURCE -I. -I$BUILD -Wall -Wextra -Wpedantic -Werror -fsyntax-only"
count=0
faults=0

alone() {
    count=$((count + 1))
    echo 'typedef int unit_not_empty;' | "$@" $flags -include "$header" - || {
        echo "$header: not alone: $*"
        faults=$((faults + 1))
    }
}

for header in $(find common kernels tbwriter checkpoints trainer sweep -name '*.h' ! -name '*_impl.h' ! -path 'kernels/cpu/*'); do
    alone gcc -std=c11 -x c
    case $header in
    kernels/contract.h | kernels/math/* | kernels/optim/*) alone g++ -std=c++20 -x c++ -Wno-missing-field-initializers ;;
    esac
done
echo "$count compilations, $faults failed"
[ $faults = 0 ] && [ $count -gt 30 ]
