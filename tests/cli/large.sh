#!/bin/sh
# A plan of 100,000 points: in 300 MB, and not in minutes. The release program: the other one needs more of both.
. "$SOURCE/tests/lib/cli.sh"
program=$CSWEEP
cat > large.ini << 'END'
[data]
dataset = random 1000x20 sum>0
batch_size = range(8, 80, 8)
[model]
layers = linear ${w} > relu > linear 2
w = 16, 32, 64, 128
[optimizer]
optimizer = sgd, adam
lr = log(1e-4, 1e-1, 100)
[when optimizer=sgd]
momentum = lin(0, 0.9, 13)
[when optimizer=adam]
weight_decay = lin(0, 0.9, 12)
END
note
large() {
    (ulimit -v 307200 && exec timeout 20 "$program" plan "$@" > "$talk/$out" 2> "$talk/err") ||
        fail "plan $* in 300 MB and 20 s: $(cat "$talk/err")"
}
out=table large large.ini
sed -n '$!{h;d};x;p' "$talk/table" > "$talk/summary"
same "$talk/summary" "the summary" 'large: 100000 points x 1 seed = 100000 trials; max Accuracy/Val'
out=trials.csv large large.ini --csv
out=back.csv large "$talk/trials.csv" --csv
cmp "$talk/trials.csv" "$talk/back.csv" || fail "the batch file does not read back"
unchanged
