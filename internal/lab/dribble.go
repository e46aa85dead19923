//go:build linux

package lab

import (
	"net"
	"time"
)

// Dribble is a service that sends a piece now and then until the peer is gone,
// as an SSH tarpit.
func Dribble(every time.Duration, greeting, piece string) func(net.Conn) {
	return func(c net.Conn) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for _, err := c.Write([]byte(greeting)); err == nil; _, err = c.Write([]byte(piece)) {
			<-tick.C
		}
	}
}
