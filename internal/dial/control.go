package dial

import (
	"strings"
	"syscall"
)

// control prepares a socket before it is bound or connected: the interface,
// the hop limit and, where the system has one, the error queue.
func (d *Dialer) control(hopLimit int) func(network, address string, c syscall.RawConn) error {
	return func(network, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = prepare(fd, strings.HasSuffix(network, "6"), d.opts.Interface, hopLimit)
		})
		if err != nil {
			return err
		}
		return failed
	}
}
