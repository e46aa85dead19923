package route

import "fmt"

// Limits are what this machine allows to ordinary connections. A zero value
// is one that is not known, or is no limit.
type Limits struct {
	EphemeralFrom, EphemeralTo uint16 // local ports, both included
	ConntrackCount             uint64 // connections tracked now
	ConntrackMax               uint64
	Descriptors                uint64 // open files of this process, as it is now
	DescriptorsMax             uint64 // what it may raise that to
}

// ReadLimits reads the limits of the process and of the network namespace of
// the calling thread. On systems other than Linux all are zero.
func ReadLimits() Limits { return readLimits() }

// Notes says in one line each which limits a scan of so many targets meets
// when it holds so many sockets at once; none when all is well.
func (l Limits) Notes(targets, sockets uint64) []string {
	var notes []string
	if l.Descriptors > 0 && sockets > l.Descriptors {
		note := fmt.Sprintf("%d open files are allowed, fewer than the %d sockets wanted at once", l.Descriptors, sockets)
		if l.DescriptorsMax > l.Descriptors {
			note += fmt.Sprintf(": raise the limit up to %d (ulimit -n)", l.DescriptorsMax)
		}
		notes = append(notes, note)
	}
	if ports := uint64(l.EphemeralTo) - uint64(l.EphemeralFrom) + 1; l.EphemeralTo >= l.EphemeralFrom && l.EphemeralTo > 0 && sockets > ports {
		notes = append(notes, fmt.Sprintf("%d local ports (%d-%d, net.ipv4.ip_local_port_range), fewer than the %d sockets wanted at once",
			ports, l.EphemeralFrom, l.EphemeralTo, sockets))
	}
	if l.ConntrackMax > 0 {
		room := l.ConntrackMax - min(l.ConntrackCount, l.ConntrackMax)
		if targets > room {
			notes = append(notes, fmt.Sprintf("connection tracking has room for %d more entries (net.netfilter.nf_conntrack_max is %d), %d targets are asked: "+
				"a full table drops other connections of this machine too; raise it or lower the rate", room, l.ConntrackMax, targets))
		}
	}
	return notes
}
