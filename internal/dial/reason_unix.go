//go:build !windows

package dial

import (
	"errors"
	"syscall"

	"reconshield/internal/exposure"
)

// reasonOfErrno names the system's error number; "" when err carries none of
// those that say something about the way to the server.
func reasonOfErrno(err error) exposure.Reason {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno { //nolint:exhaustive // the rest is local
	case syscall.ECONNREFUSED, syscall.ECONNRESET:
		return exposure.ReasonReset
	case syscall.ETIMEDOUT:
		return exposure.ReasonTimeout
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN:
		return exposure.ReasonHostUnreachable
	case syscall.ENETUNREACH, syscall.ENETDOWN:
		return exposure.ReasonNoRoute
	}
	return exposure.ReasonLocalError
}
