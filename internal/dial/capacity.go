package dial

const (
	defaultDescriptors = 1024    // where the system does not tell
	maxDescriptors     = 1 << 16 // more sockets than that serve no scan
	reserved           = 64      // for databases, reports, certificates …
)

// usable is what a limit leaves after what is open and what is reserved; at
// least 1, so that a scan goes on slowly rather than not at all.
func usable(limit uint64, open int) int {
	return max(1, int(min(limit, maxDescriptors))-open-reserved)
}
