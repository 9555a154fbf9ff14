#!/bin/sh
# Builds the release binary: Embedded Swift, stripped, in .build-embedded/release/imgate.
# Usage: deploy/build.sh [SCRATCH-PATH]
set -eu
cd "$(dirname "$0")/.."
scratch=${1:-.build-embedded}
swiftc=$(readlink -f "$(command -v swiftc)") || { echo "build.sh: no swiftc in PATH; install Swift 6.3" >&2; exit 1; }
runtime=$(dirname "$(dirname "$swiftc")")/lib/swift/embedded/$(uname -m)-unknown-linux-gnu
[ -d "$runtime" ] || { echo "build.sh: $runtime is missing; this toolchain has no Embedded Swift for $(uname -m)" >&2; exit 1; }
IMGATE_EMBEDDED=1 IMGATE_EMBEDDED_RUNTIME="$runtime" \
  swift build -c release --product imgate --scratch-path "$scratch" -Xlinker -s \
  --explicit-target-dependency-import-check error -Xswiftc -warnings-as-errors
