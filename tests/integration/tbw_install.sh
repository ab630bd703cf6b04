#!/bin/bash
# tbwriter/ as a library of its own: installed to an empty prefix, found by pkg-config, its example built by cc and run.
set -eu
prefix=$SCRATCH/prefix
cmake --install "$BUILD" --prefix "$prefix" > install.log
pc=$(find "$prefix" -name tbw.pc)
export PKG_CONFIG_PATH=${pc%/*}
example=$(find "$prefix" -name tbw_example.c)
cc -std=c11 -Wall -Wextra -Werror "$example" $(pkg-config --cflags --libs tbw) -o example
./example runs/one > out
[ "$(wc -l < out)" = 40 ] && grep -q '^20 Loss/Train 0.0183156$' out || { cat out; exit 1; }
"$CSWEEP" events runs --check
[ "$("$CSWEEP" events runs --tags --csv | cut -d, -f2,4,5 | sort | tr '\n' ' ')" = \
    "Loss/Train,scalar,20 Loss/Val,scalar,20 Pattern,image,20 Weights,histogram,20 tag,kind,points " ]

# every call that the header declares is in the archive
cat > calls.c << 'END'
#include "tbwriter/tbw.h"
int main(void) { return !(tbw_writer_confusion && tbw_writer_roc && tbw_writer_grid && tbw_writer_mesh && tbw_writer_audio
    && tbw_writer_graph && tbw_writer_pr_curve && tbw_writer_experiment && tbw_writer_layout && tbw_writer_host
    && tbw_view_take && tbw_check && tbw_reader_recover && tbw_point_summary); }
END
cc -std=c11 calls.c $(pkg-config --cflags --libs tbw) -o calls
./calls
man=$(find "$prefix" -name tbw.3)
for call in $(grep -o 'tbw_[a-z_]* ()' "$man" | tr -d ' ()' | sort -u); do
    grep -qrw "$call" "$prefix/include" || { echo "$call: in the manual only"; exit 1; }
done
if command -v groff > /dev/null; then
    groff -man -Tutf8 -ww "$man" 2>&1 > /dev/null | grep . && exit 1
fi
exit 0
