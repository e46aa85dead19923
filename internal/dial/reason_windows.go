package dial

import (
	"errors"

	"golang.org/x/sys/windows"

	"reconshield/internal/exposure"
)

// reasonOfErrno names the system's error number; "" when err carries none of
// those that say something about the way to the server.
func reasonOfErrno(err error) exposure.Reason {
	var errno windows.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno { //nolint:exhaustive // the rest is local
	case windows.WSAECONNREFUSED, windows.WSAECONNRESET:
		return exposure.ReasonReset
	case windows.WSAETIMEDOUT:
		return exposure.ReasonTimeout
	case windows.WSAEHOSTUNREACH, windows.WSAEHOSTDOWN:
		return exposure.ReasonHostUnreachable
	case windows.WSAENETUNREACH, windows.WSAENETDOWN:
		return exposure.ReasonNoRoute
	}
	return exposure.ReasonLocalError
}
