package dial

import (
	"context"
	"errors"
	"net"
	"os"

	"reconshield/internal/exposure"
)

// reasonOf names an error of a socket operation; ctx tells our own deadline
// from the caller's cancellation.
func reasonOf(ctx context.Context, err error) exposure.Reason {
	if errors.Is(ctx.Err(), context.Canceled) {
		return exposure.ReasonCancelled
	}
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return exposure.ReasonTimeout
	case errors.Is(err, context.Canceled):
		return exposure.ReasonCancelled
	}
	if r := reasonOfErrno(err); r != "" {
		return r
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		return exposure.ReasonTimeout
	}
	return exposure.ReasonLocalError
}

// stateOf is the state of a TCP port whose connection attempt ended so.
func stateOf(r exposure.Reason) exposure.State {
	switch r {
	case exposure.ReasonSynAck:
		return exposure.Open
	case exposure.ReasonReset:
		return exposure.Closed
	case exposure.ReasonTimeout, exposure.ReasonPortUnreachable, exposure.ReasonHostUnreachable,
		exposure.ReasonNetUnreachable, exposure.ReasonProtoUnreach, exposure.ReasonAdminProhibited,
		exposure.ReasonTimeExceeded:
		return exposure.Filtered
	case exposure.ReasonDNSResponse, exposure.ReasonUDPResponse, exposure.ReasonNoRoute,
		exposure.ReasonLocalError, exposure.ReasonCancelled, exposure.ReasonNotAsked,
		exposure.ReasonEchoReply, exposure.ReasonNoNeighbour: // a connection never ends so
		return exposure.Unmeasured
	}
	return exposure.Unmeasured
}
