#!/bin/sh
# plan --explain: what gives a key its value, in order of precedence.
. "$SOURCE/tests/lib/cli.sh"
cat > base.ini << 'END'
[sweep]
seeds = 2
[data]
dataset = random 1000x20 sum>0
[model]
layers = linear 8 > relu > linear 2
[optimizer]
optimizer = sgd, adam
lr = 0.1
[preset quick]
lr = 0.3
END
cat > grid.ini << 'END'
include = base.ini
[optimizer]
lr = ${env:CSWEEP_T_LR:0.2}, 0.4
[when optimizer=adam]
lr = 0.001
[preset quick]
seeds = 1
[preset other]
lr = = 0.5 * batch_size
END
note
runs 0 plan grid.ini --preset quick --preset other lr=0.7,0.8 --explain lr
says << 'END'
[when optimizer=adam]: 2 of 4 points
  * command line               0.7,0.8
    preset other  grid.ini:9   = 0.5 * batch_size
    preset quick  base.ini:11  0.3
    file          grid.ini:5   0.001
[optimizer]: 2 of 4 points
  * command line               0.7,0.8
    preset other  grid.ini:9   = 0.5 * batch_size
    preset quick  base.ini:11  0.3
    file          grid.ini:3   ${env:CSWEEP_T_LR:0.2}, 0.4
    include       base.ini:9   0.1
default where optimizer = sgd: 0 of 4 points
    0.001
default where optimizer = adam: 0 of 4 points
    0.001
END
runs 0 plan grid.ini --explain lr
says << 'END'
[when optimizer=adam]: 1 of 3 points
  * file  grid.ini:5  0.001
[optimizer]: 2 of 3 points
  * file     grid.ini:3  0.2, 0.4  (of the environment: CSWEEP_T_LR (not set) = 0.2)
    include  base.ini:9  0.1
default where optimizer = sgd: 0 of 3 points
    0.001
default where optimizer = adam: 0 of 3 points
    0.001
END
runs 0 plan grid.ini --explain momentum
says << 'END'
default where optimizer = sgd: 2 of 3 points
  * 0
absent, no choice made there has it: 1 of 3 points
END
runs 0 plan grid.ini --preset quick --explain seeds
says << 'END'
[sweep]
  * preset quick  grid.ini:7  1
    include       base.ini:2  2
default
    1
END
runs 0 plan grid.ini --explain include
says << 'END'
grid.ini
  base.ini, included by grid.ini
END
runs 2 plan grid.ini --explain lrr
says < /dev/null
warns "csweep plan: --explain lrr: no such key; did you mean lr?; see csweep plan --help"
runs 2 plan grid.ini --explain lr --json
warns "csweep plan: --explain is neither --json nor --csv; see csweep plan --help"
unchanged
"$program" plan grid.ini --csv > grid.csv
note
runs 2 plan grid.csv --explain lr
warns "csweep plan: --explain is about grids; in a batch file every line says its values; see csweep plan --help"
runs 3 plan grid.ini lr=x --explain lr
says < /dev/null
warns << 'END'
command line: lr = x: must be a number >= 0
csweep: grid.ini: 1 fault; nothing planned
END
unchanged
