#!/bin/sh
# A wrong grid file: all its faults in one go, each with file and line, exit status 3, nothing made.
. "$SOURCE/tests/lib/cli.sh"

cat > bad.ini << 'END'
[sweep]
seeds = none

[data]
dataset = random 1000x20 sum>0
batch_sise = 32

[model]
layers = linear 64 > rellu > linear 2

[train]
epochs = 0

[optimizer]
optimizer = adamm
lr = fast
END
cat > "$talk/faults" << 'END'
bad.ini:2: seeds = none: must be a whole number in [0, 9007199254740992]
bad.ini:6: batch_sise: no such key; did you mean batch_size?
bad.ini:9: layers = linear 64 > rellu > linear 2: layer 2 (rellu): no such layer; did you mean relu?
bad.ini:12: epochs = 0: must be a whole number in [1, 1000000]
bad.ini:15: optimizer = adamm: no such optimizer; did you mean adam?
bad.ini:16: lr = fast: must be a number >= 0
END
note
for command in "" run; do
    runs 3 $command bad.ini
    says < /dev/null
    warns < "$talk/faults"
    unchanged
done
runs 3 plan bad.ini
says < /dev/null
echo "csweep: bad.ini: 6 faults; nothing planned" >> "$talk/faults"
warns < "$talk/faults"

runs 3 none.ini
warns "none.ini: cannot open: No such file or directory"
runs 3 ./
[ "$(wc -l < "$talk/err")" = 1 ] || fail "a folder as grid: not one line"
errors=read
head -c 2000 /dev/urandom > noise.ini
note
runs 3 noise.ini
[ -s "$talk/err" ] || fail "noise as grid: no word"
errors=read
unchanged
