#!/bin/sh
# No path of one machine, no host of a package registry, no unfinished business in a file.
cd "$SOURCE" || exit 1
words='(^|[^A-Za-z0-9_.])/(work|root|home)/|[T]ODO|[F]IXME|(deb|security)[.]debian[.]org|pypi[.]org|pythonhosted[.]org'
if grep -rnIE "$words" --exclude-dir=.git --exclude=.git --exclude-dir='build*' --exclude-dir=runs --exclude-dir=checkpoints.git .; then
    exit 1
fi
exit 0
