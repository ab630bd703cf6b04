#!/bin/sh
# The top level holds these and dot files; what .gitignore names does not count.
cd "$SOURCE" || exit 1
faults=0
for name in *; do
    case $name in
    CMakeLists.txt | CMakePresets.json | README.md | LICENSE) ;;
    common | kernels | tbwriter | checkpoints | trainer | sweep | sweeps | tests) ;;
    build | build-* | runs | checkpoints.git | __pycache__) ;;
    *)
        echo "$name: not at the top level"
        faults=1
        ;;
    esac
done
for name in README.md LICENSE .gitignore .clang-format .editorconfig .ci/run; do
    [ -s "$name" ] || {
        echo "$name: missing"
        faults=1
    }
done
exit $faults
