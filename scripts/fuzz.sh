#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 20s), JOBS
# (default: the number of processors) at a time. Arguments limit it to packages:
#
#	scripts/fuzz.sh                      all
#	FUZZTIME=5m scripts/fuzz.sh ./internal/dnswire/...
#
# A target that fails leaves its input in the package's testdata/fuzz; commit
# it with the repair.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export FUZZTIME="${FUZZTIME:-20s}"
readonly jobs="${JOBS:-$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)}"

# targets prints "package name" for each fuzz function of the packages given.
targets() {
	# shellcheck disable=SC2016 # the dollar signs belong to the Go template
	local each='{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}'
	go list -f "$each" "$@" | while read -r package file; do
		[[ -n "$package" ]] || continue
		sed -nE "s,^func (Fuzz[A-Za-z0-9_]*)\(.*,$package \1,p" "$file"
	done
}

fuzz() {
	go test -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" -fuzzminimizetime=100x -parallel=1 "$1" 2>&1 </dev/null
}

# deadline recognises the fuzzer of Go before 1.27 tripping over the end of its
# own time (https://go.dev/issue/75804), the likelier the busier the machine is:
# no input is written then, and the target is fuzzed again, five times at most.
deadline() {
	[[ "$1" == *'context deadline exceeded'* && "$1" != *'Failing input written'* ]]
}

# one runs a single target and stays quiet unless it fails.
one() {
	local package=$1 name=$2 output
	for _ in 1 2 3 4 5; do
		if output=$(fuzz "$package" "$name"); then
			printf 'ok    %s %s  %s\n' "$package" "$name" "$(grep -oE 'execs: [0-9]+' <<<"$output" | tail -n 1)"
			return
		fi
		deadline "$output" || break
	done
	printf 'FAIL  %s %s\n%s\n' "$package" "$name" "$output"
	return 1
}

if [[ "${1:-}" == --one ]]; then
	one "$2" "$3"
	exit
fi

if (($# == 0)); then
	set -- ./...
fi
found=$(targets "$@")
if [[ -z "$found" ]]; then
	echo "fuzz: no target in $*" >&2
	exit 1
fi
printf '%s\n' "$found" | xargs -P "$jobs" -n 2 scripts/fuzz.sh --one
