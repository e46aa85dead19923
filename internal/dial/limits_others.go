//go:build !linux

package dial

// readLimits knows the ephemeral ports only: IANA's range (RFC 6335 section 6),
// which these systems use.
func readLimits() limits {
	const first, last = 49152, 65535
	return limits{ports: last - first + 1, portsFrom: "49152-65535"}
}
