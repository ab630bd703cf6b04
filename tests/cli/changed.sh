#!/bin/sh
# A grid whose edit makes all points new ones says so in one line, once; one that only has more or fewer of them does not.
. "$SOURCE/tests/lib/cli.sh"
cat > toy.ini << 'END2'
[data]
dataset = random 600x20 sum>0
batch_size = 32

[model]
layers = linear 16 > relu > linear 2

[train]
epochs = 2

[optimizer]
optimizer = sgd, adam
lr = 0.01, 0.1

[when optimizer=sgd]
momentum = 0, 0.9
END2

# told LINE: what the run says between its first line and its trials
told() {
    if [ -n "$1" ]; then
        sed -n 2p "$talk/out" > "$talk/line"
        same "$talk/line" "what changed" "$1"
    else
        ! grep -q 'new set of points' "$talk/out" || fail "$ran: says that something changed"
    fi
}

runs 0 toy.ini
told ''
runs 0 toy.ini lr=0.1,0.2 optimizer=adam
told ''
runs 0 toy.ini batch_size=64
told 'batch_size = 64, was 32: a new set of points; 7 finished trials of the old one stay'
runs 0 toy.ini batch_size=64
told ''
runs 0 toy.ini batch_size=64 seeds=2
told ''
runs 0 toy.ini l1=0.1 'layers=linear 8 > relu > linear 2' batch_size=32
told 'layers = linear 8 > relu > linear 2, was linear 16 > relu > linear 2; l1 = 0.1, was left out: a new set of points; 19 finished trials of the old one stay'
runs 0 toy.ini epochs=3
told '6 trials go on from shorter ones, after epoch 2'
runs 0 toy.ini --json batch_size=8
grep -q '"changed":"batch_size = 8, was 32, 64: a new set' "$talk/out" || fail "--json: nothing of it"
runs 0 ls toy
grep -c ' done ' "$talk/out" > "$talk/count"
same "$talk/count" "trials that are kept" 37
