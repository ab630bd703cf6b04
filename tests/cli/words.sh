#!/bin/sh
# Version, help, and words that are no command.
. "$SOURCE/tests/lib/cli.sh"

version=$(sed -n 's/^project(csweep VERSION \([0-9.]*\).*/\1/p' "$SOURCE/CMakeLists.txt")
runs 0 --version
says "csweep $version"

for help in --help -h help; do
    runs 0 $help
    says << 'END'
usage: csweep GRID.ini [KEY=VALUE ...]     expand the grid, train what is not done yet
       csweep COMMAND ...                  see csweep COMMAND --help

  run        train every trial of a grid that is not done yet
  plan       print every trial a grid file asks for; writes nothing
  rerun      queue trials again, to go on from their checkpoint or from epoch 0
  ls         the sweeps, or the trials of one
  show       one trial: configuration, curves, checkpoints, log
  verify     check what a sweep left on disk: journal, checkpoints, events, locks
  events     read event files back: points, tags, faults
  board      TensorBoard on the sweeps' runs
  describe   the reference: optimizers, schedulers, losses, layers, datasets, searches, keys

example: csweep sweeps/optimizers.ini --preset quick
exit codes: 0 done, 1 a trial failed, 2 usage, 3 grid file, 4 environment, 130 interrupted
END
done
cp "$talk/out" "$talk/help"
runs 2
says < "$talk/help"

# every command that help lists explains itself, with an example
for command in $(sed -n 's/^  \([a-z]\{2,\}\)  .*/\1/p' "$talk/help"); do
    runs 0 "$command" --help
    head -n 1 "$talk/out" | grep -q "^usage: csweep .*$command" || fail "$command --help: no usage"
    grep -q '^example: csweep ' "$talk/out" || fail "$command --help: no example"
done

runs 2 plann toy.ini
warns << 'END'
csweep: plann: no such command; did you mean plan?
END
runs 2 zzzzzzz
warns << 'END'
csweep: zzzzzzz: no such command, and not a grid file (.ini, .csv); see csweep --help
END
