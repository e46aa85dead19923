#!/usr/bin/env bash
# Installs the Debian packages that the tests start real servers from. They are
# listed in internal/lab/PACKAGES, one a line. Does nothing when all are there.
#
# Installed servers are not started and not enabled: the tests run them in
# namespaces of their own, and a resolver that takes port 53 of this machine
# would be a nuisance.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly list=internal/lab/PACKAGES
readonly guard=/usr/sbin/policy-rc.d

# Somebody can type a password. Asked now, as standard input changes below.
interactive=no
[[ -t 0 ]] && interactive=yes

say() { printf 'install-test-deps: %s\n' "$*" >&2; }

installed() {
	[[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" == installed ]]
}

missing_packages() {
	local package
	while read -r package _; do
		[[ -z "$package" || "$package" == '#'* ]] && continue
		installed "$package" || printf '%s\n' "$package"
	done <"$list"
}

# as_root CMD... runs a command with privileges, asking for a password only
# where somebody can type one.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif [[ "$interactive" == yes ]]; then
		sudo "$@"
	else
		sudo --non-interactive "$@"
	fi
}

may_install() {
	command -v apt-get >/dev/null || return 1
	((EUID == 0)) && return 0
	command -v sudo >/dev/null || return 1
	[[ "$interactive" == yes ]] || sudo --non-interactive true 2>/dev/null
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet \
		--option DPkg::Lock::Timeout=300 --option Dpkg::Use-Pty=0 --option Dpkg::Options::=--force-confold \
		--option Acquire::Retries=3 "$@" </dev/null
}

install_packages() {
	apt install --yes --no-install-recommends "$@"
}

have_lists() {
	compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# A policy that answers 101 keeps package scripts from starting daemons.
guarded=no
put_guard() {
	[[ -e "$guard" ]] && return 0
	# Set first, so that an interrupted run still removes the file.
	guarded=yes
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
	as_root chmod 755 "$guard"
}

remove_guard() {
	if [[ "$guarded" == yes ]]; then
		as_root rm -f "$guard"
	fi
}

# The guard does not keep packages from being enabled for the next boot.
disable_units() {
	command -v systemctl >/dev/null || return 0
	local units
	mapfile -t units < <(dpkg-query --listfiles "$@" |
		sed -nE 's,^(/usr)?/lib/systemd/system/([^@/]+\.(service|socket))$,\2,p' | sort -u)
	((${#units[@]} == 0)) && return 0
	as_root systemctl --quiet disable "${units[@]}" 2>/dev/null || true
}

main() {
	if ! command -v dpkg-query >/dev/null; then
		say "this is not a Debian system; the tests need the programs of: $(grep -v '^#' "$list" | xargs)"
		return 0
	fi
	if [[ ! -r "$list" ]]; then
		say "$list cannot be read"
		return 1
	fi
	local missing
	mapfile -t missing < <(missing_packages)
	((${#missing[@]} == 0)) && return 0

	if ! may_install; then
		say "packages are missing and cannot be installed without root; run:"
		say "  sudo apt-get install --no-install-recommends ${missing[*]}"
		return 1
	fi
	say "installing ${missing[*]}"
	trap remove_guard EXIT
	put_guard
	have_lists || apt update
	if ! install_packages "${missing[@]}"; then
		say "installing failed; trying once more with fresh package lists"
		apt update
		install_packages "${missing[@]}"
	fi
	disable_units "${missing[@]}"
}

main "$@"
