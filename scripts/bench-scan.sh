#!/usr/bin/env bash
# Compares this engine with masscan, zmap, nmap and a bare sendmmsg loop on two
# network namespaces joined by a veth pair, and prints a table for each scene.
# Nothing leaves the namespaces; they end with this process, however it ends.
# Works for root and where the kernel allows unprivileged user namespaces.
#
#   BENCH_QUICK=1    small sizes, one run: two minutes instead of fifteen
#   BENCH_RUNS=3     runs of each trial; medians are shown
#   BENCH_SCENES=    some of sink,refused,sparse,all-open,host,host6,lossy,
#                    limited,udp,udp-host,udp-one,connect,flat
#   BENCH_TOOLS=     some of "bare loop",reconshield,masscan,zmap,nmap
#   BENCH_OURS=      a reconshield binary to measure instead of building one
#   BENCH_COMMANDS=1 prints the command lines, too
#   BENCH_BOUND=3m   how long the slowest scans may take before they are ended
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin:/sbin"

for need in masscan:masscan zmap:zmap nmap:nmap ip:iproute2 nft:nftables /usr/bin/time:time; do
	if ! command -v "${need%%:*}" >/dev/null; then
		printf 'bench-scan: %s is missing (Debian package %s)\n' "${need%%:*}" "${need##*:}" >&2
		exit 1
	fi
done

work=$(mktemp -d)
child=
clean() {
	[[ -z $child ]] || kill "$child" 2>/dev/null || true
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

go test -c -o "$work/bench.test" ./internal/bench

if [[ -z ${BENCH_OURS:-} ]]; then
	go build -trimpath -o bin/ ./cmd/reconshield
	BENCH_OURS=$PWD/bin/reconshield
fi
if ! "$BENCH_OURS" scan --help >/dev/null 2>&1; then
	printf 'bench-scan: this build has no scan command; the others are measured alone\n' >&2
	BENCH_OURS=
fi
export BENCH_OURS
[[ ${BENCH_QUICK:-} ]] || export BENCH_FULL=1

# In the background, so that a signal ends it at once. The benchmark's own
# lines say nothing that the tables do not.
TMPDIR=$work "$work/bench.test" -test.run '^$' -test.bench '^BenchmarkScanners$' -test.benchtime 1x -test.timeout 60m \
	> >(grep --line-buffered -v -E '^(goos|goarch|pkg|cpu|BenchmarkScanners|PASS)') &
child=$!
wait "$child"
child=
