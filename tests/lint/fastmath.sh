#!/bin/sh
# The compiler neither reassociates nor contracts: by every file's flags, and by the code of trainer/, which is built
# for the base instruction set and so has no fused multiply-add at all.
faults=0
for build in "$BUILD" "$BUILD_DEV"; do
    commands=$build/compile_commands.json
    ours=$(grep '"command":' "$commands" | grep -v '\.pb-c\.c') || exit 1
    echo "$ours" | grep -v -e '-ffp-contract=off' && faults=1
    echo "$ours" | grep -E -e '-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-ffinite-math|-freciprocal-math|-mdaz-ftz|-march=' \
        -e '-ffp-contract=(on|fast)' && faults=1
done
if objdump -d "$BUILD/trainer/libcs_trainer.a" | grep -m 5 -E 'vfn?m(add|sub)'; then
    echo "fused multiply-add in trainer/"
    faults=1
fi
exit $faults
