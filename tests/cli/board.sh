#!/bin/sh
# TensorBoard: found, started with the right arguments, its address told, ended with csweep. A stand-in plays it.
. "$SOURCE/tests/lib/cli.sh"
toy_grid

runs 2 board
warns 'csweep: runs: no such log directory'
runs 0 toy.ini --quiet epochs=1
CSWEEP_TENSORBOARD=$talk/none
export CSWEEP_TENSORBOARD
runs 4 board
warns "csweep: CSWEEP_TENSORBOARD = $talk/none: no such program"
unset CSWEEP_TENSORBOARD
PATH_BEFORE=$PATH
PATH=$talk
runs 4 board toy
PATH=$PATH_BEFORE
warns 'csweep: tensorboard is not installed (not in PATH): pip install tensorboard, or name it in CSWEEP_TENSORBOARD'
runs 2 board toy --frob
warns 'csweep board: --frob: unknown option or missing value; see csweep board --help'
runs 2 board nope
warns 'csweep: nope: no such sweep; runs has toy'

# found in PATH; ends by itself
cat > "$talk/tensorboard" << 'END'
#!/bin/sh
printf '%s\n' "$@" > "$talk/arguments"
echo 'TensorFlow installation not found - running with reduced feature set.' >&2
echo 'something else' >&2
echo 'TensorBoard 9.9 at http://localhost:7/ (Press CTRL+C to quit)' >&2
for argument; do
    case $argument in
    --logdir=*) ls "${argument#*=}" > "$talk/shown" ;;
    --die=*) exit "${argument#*=}" ;;
    --wait)
        trap 'echo left > "$talk/waiting"; exit 0' TERM
        : > "$talk/waiting"
        while :; do sleep 0.05; done
        ;;
    esac
done
END
chmod +x "$talk/tensorboard"
export talk
PATH=$talk:$PATH
runs 0 board toy
view='?pinnedCards=%5B%7B%22plugin%22%3A%22scalars%22%2C%22tag%22%3A%22Accuracy%2FVal%22%7D%5D'
says << END
TensorBoard 9.9 on runs/toy; Ctrl-C ends it
  http://localhost:7/
  http://localhost:7/$view&runColorGroup=regex%3Aoptimizer%3D%28%5B%5E%2C%5D%2B%29#timeseries
END
warns 'something else'
same "$talk/arguments" arguments << 'END'
--logdir=runs/toy
--reload_interval=5
--samples_per_plugin=scalars=1000000,histograms=10000,images=10000,text=10000,pr_curves=10000
END

# several sweeps: those, through links that are gone afterwards
runs 0 toy.ini --quiet name=more epochs=1
runs 0 toy.ini --quiet name=third epochs=1
TMPDIR=$talk
export TMPDIR
runs 0 board toy mo --port 70 -- --own
warns 'something else'
same "$talk/shown" "the sweeps" << 'END'
more
toy
END
sed -n '4,$p' "$talk/arguments" > "$talk/last"
same "$talk/last" "the last arguments" << 'END'
--port=70
--own
END
[ -z "$(find "$talk" -name 'csweep-board*')" ] || fail "links are left over"
runs 0 board
warns 'something else'
grep -qx -- '--logdir=runs' "$talk/arguments" || fail "all sweeps"

# its failure is ours; a signal is passed on and ends both
runs 4 board toy -- --die=3
warns << END
something else
csweep: $talk/tensorboard: ended with exit code 3
END
"$program" board toy -- --wait > "$talk/out" 2> "$talk/err" &
board=$!
while [ ! -e "$talk/waiting" ]; do sleep 0.05; done
kill -TERM $board
wait $board || fail "exit status $? after SIGTERM"
[ "$(cat "$talk/waiting")" = left ] || fail "the signal did not reach TensorBoard"
