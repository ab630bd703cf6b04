#!/bin/sh
# plan of a grid with zip, exclude and an included file: its table, what each rule took, warnings, nothing made.
. "$SOURCE/tests/lib/cli.sh"
mkdir parts
cat > parts/base.ini << 'END'
[data]
dataset = random 1000x20 sum>0
[model]
layers = linear 8 > relu > linear 2
[optimizer]
optimizer = sgd, adam
lr = 0.1
END
cat > grid.ini << 'END'
include = parts/base.ini

[zip size]
batch_size = 16, 64
lr = 0.05, 0.1

[exclude]
hot = optimizer = adam and lr > 0.08
odd = batch_size = 17
END
note
runs 0 plan grid.ini --no-estimate
says << 'END'
 trial  optimizer  batch_size  lr
     1  sgd        16          0.05
     2  sgd        64          0.1
     3  adam       16          0.05

grid: 3 points x 1 seed = 3 trials (1 excluded); max Accuracy/Val
excluded by hot: 1 (optimizer = adam and lr > 0.08)
excluded by odd: 0 (batch_size = 17)
END
warns "csweep: warning: grid.ini:9: odd = batch_size = 17: removes nothing"
runs 0 plan grid.ini --json
"$SYSTEM_PYTHON" - "$talk/out" << 'END' || fail "plan --json"
import json, sys
plan = json.load(open(sys.argv[1]))
assert (plan["points"], plan["trials"], plan["merged"], plan["excluded"]) == (3, 3, 0, {"hot": 1, "odd": 0}), plan
END
errors=read

sed -i 's/^lr = 0.1$/lr = fast/; s/sgd,/sgdd,/' parts/base.ini
note
for command in "" run; do
    runs 3 $command grid.ini
    says < /dev/null
    warns << 'END'
parts/base.ini:6: optimizer = sgdd: no such optimizer; did you mean sgd?
END
done
unchanged
