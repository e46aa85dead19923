#!/usr/bin/env bash
# Times and weighs whole assessments in a network namespace of their own: a /16
# where every address refuses (loopback), and a /20 where all are silent
# (a link whose other end takes everything and says nothing). Needs GNU time (Debian package time) and iproute2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in unshare ip /usr/bin/time; do
	if ! command -v "$tool" >/dev/null; then
		printf 'bench-assess: %s is missing (Debian packages util-linux, iproute2, time)\n' "$tool" >&2
		exit 1
	fi
done

if [[ ${1:-} != inside ]]; then
	go build -trimpath -o bin/ ./cmd/reconshield
	exec unshare --user --map-root-user --net "$0" inside
fi

ip link set lo up
ip link add quiet0 type veth peer name quiet1
ip addr add 192.0.2.1/32 dev quiet0
ip link set quiet0 arp off up
ip link set quiet1 arp off up
ip route add 198.18.0.0/16 dev quiet0

measure() {
	local what=$1 target=$2
	printf '%-10s ' "$what"
	# Exit codes of assess are verdicts, not failures.
	/usr/bin/time -f '%e s wall, %U s user, %S s system, %M KiB peak' \
		bin/reconshield assess "$target" --rate 1000000 --format json --quiet --output /dev/null 2>&1 | tail -n 1
}

measure refusing 127.1.0.0/16
measure silent 198.18.0.0/20
