#!/usr/bin/env bash
# Runs go generate and fails when that changes a file: what is generated is
# committed. Works on an uncommitted tree too, as it compares before and after.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

snapshot() {
	git ls-files --cached --others --exclude-standard -z |
		while IFS= read -r -d '' file; do
			[[ -f "$file" ]] && printf '%s\0' "$file"
		done | xargs -0 sha256sum
}

before=$(snapshot)
go generate ./...
after=$(snapshot)
if [[ "$before" != "$after" ]]; then
	echo "generated files are not up to date; run 'make docs' and commit:" >&2
	diff <(echo "$before") <(echo "$after") | sed -nE 's/^> [0-9a-f]+  /  /p' >&2 || true
	exit 1
fi
