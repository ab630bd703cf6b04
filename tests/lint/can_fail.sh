#!/bin/bash
# Each lint finds what it looks for: on a copy of the tree, broken in one place at a time.
set -u
lint=$SOURCE/tests/lint
copy=$SCRATCH/tree
fake=$SCRATCH/build
faults=0

fresh() {
    rm -rf "$copy" "$fake"
    mkdir -p "$copy" "$fake"
    (cd "$SOURCE" && tar -cf - --exclude=./build --exclude=./.git --exclude=./runs --exclude=./checkpoints.git .) | tar -xf - -C "$copy"
    (cd "$BUILD" && tar -cf - compile_commands.json version.h ./*/libcs_*.a) | tar -xf - -C "$fake"
}

# finds LINT WHAT: the lint must fail and name WHAT
finds() {
    local out status
    out=$(SOURCE=$copy BUILD=$fake BUILD_DEV=$fake sh "$lint/$1.sh" 2>&1)
    status=$?
    if [ $status = 77 ]; then
        return
    elif [ $status = 0 ] || ! grep -qF -- "$2" <<< "$out"; then
        echo "$1.sh: exit status $status on a tree with a fault at '$2'"
        faults=1
    fi
}

fresh
echo '#include "kernels/kernels.h"' >> "$copy/tbwriter/tbw_crc.c"
echo '#include "trainer/model.h"' >> "$copy/sweep/main.c"
echo '#include <git2.h>' >> "$copy/trainer/trial.c"
echo '#include <curl/curl.h>' >> "$copy/sweep/find.c"
echo '#include "checkpoints/ckpt_impl.h"' >> "$copy/trainer/model.c"
for file in tbwriter/tbw_crc.c sweep/main.c trainer/trial.c sweep/find.c trainer/model.c; do
    finds layering "$file:"
done

echo 'size_t stray_count(struct missing *x, size_t n);' | cat - "$SOURCE/sweep/names.h" > "$copy/sweep/names.h"
echo 'static inline int *kern_stray(void *p) { return p; }' >> "$copy/kernels/contract.h" # C, not C++
finds headers 'sweep/names.h: not alone: gcc'
finds headers 'kernels/contract.h: not alone: g++'

echo 'int  badly ( void );' >> "$copy/common/cs_error.h"
finds format common/cs_error.h

mkdir "$copy/docs"
finds toplevel docs
rm -r "$copy/docs" "$copy/LICENSE"
finds toplevel LICENSE

{ echo 'void cs_long(void)' && echo '{' && yes '    cs_long();' | head -n 101 && echo '}'; } >> "$copy/common/cs_error.c"
yes '' | head -n 1000 >> "$copy/common/cs_ini.c"
finds sizes 'common/cs_error.c:'
finds sizes 'common/cs_ini.c: '

slash=/
echo "; data in ${slash}work${slash}data" >> "$copy/sweeps/optimizers.ini"
echo "/* TO""DO */" >> "$copy/common/cs_str.h"
finds text sweeps/optimizers.ini
finds text common/cs_str.h

echo 'int stray_symbol;' | gcc -x c -c -o "$SCRATCH/stray.o" - && ar r "$fake/tbwriter/libcs_tbwriter.a" "$SCRATCH/stray.o"
finds symbols stray_symbol

fresh
sed -i '0,/-ffp-contract=off/s///' "$fake/compile_commands.json"
finds fastmath '"command"'
fresh
sed -i '0,/-ffp-contract=off/s//-ffp-contract=off -ffast-math/' "$fake/compile_commands.json"
finds fastmath -ffast-math
fresh
echo 'double fused(double a, double b) { return __builtin_fma(a, b, a); }' |
    gcc -O2 -mfma -x c -c -o "$SCRATCH/fused.o" - && ar r "$fake/trainer/libcs_trainer.a" "$SCRATCH/fused.o"
finds fastmath 'fused multiply-add in trainer/'

# and the copy as it is passes, so the failures above are those of the faults
for name in layering headers toplevel sizes text symbols fastmath; do
    SOURCE=$SOURCE BUILD=$BUILD sh "$lint/$name.sh" > "$SCRATCH/out" 2>&1 || {
        echo "$name.sh fails on the tree as it is: see its own check"
        faults=1
    }
done
exit $faults
