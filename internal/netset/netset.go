// Package netset holds what a scan is allowed to touch: target expressions,
// the scope they resolve to, sets of ports, and the part of them that one of
// several runs takes on.
//
// Everything here is a value. The package opens no socket and no file and does
// not resolve names by itself: Spec.Resolve asks a function it is given. It
// does not choose an order for sending and it does not know routes; whether an
// address of the scope can be reached is for others to measure.
package netset

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
)

// DefaultLimit is the number of addresses a scope may hold unless the caller
// sets another limit: one IPv4 /16.
const DefaultLimit uint64 = 65536

// Limits for a sweep, which holds a few bits an address and works through any
// number of them in time. All of IPv4 is below ScanLimit. No IPv6 network is
// worth sweeping beyond ScanLimitIPv6: at a million packets a second a /64
// takes half a million years.
const (
	ScanLimit     uint64 = 1 << 40
	ScanLimitIPv6 uint64 = 1 << 32
)

// Bounds on input that may come from a file somebody else wrote.
const (
	// MaxExpression is the longest accepted expression, in bytes.
	MaxExpression = 1024
	// MaxLines is the largest number of lines ReadTargets accepts.
	MaxLines = 1 << 20
)

var (
	// ErrNoTargets reports a scope that holds no address, because nothing was
	// named or because the exclusions removed all of it.
	ErrNoTargets = errors.New("no target")
	// ErrTooMany reports a scope over its limit. The error that wraps it is a
	// *TooManyError.
	ErrTooMany = errors.New("too many addresses")
)

// TooManyError says by how much a scope is over its limit.
// errors.Is(err, ErrTooMany) holds for it.
type TooManyError struct {
	// Count is the exact number of addresses asked for; IPv6 makes it larger
	// than any machine integer.
	Count *big.Int
	// Limit is the largest number that would have been accepted.
	Limit uint64
	// IPv6 says that Count and Limit are of IPv6 addresses alone.
	IPv6 bool
}

func (e *TooManyError) Error() string {
	if e.IPv6 {
		return fmt.Sprintf("%s: %s IPv6 addresses in scope, the limit is %d; IPv6 networks are too large to sweep, name addresses or prefixes from /%d on",
			ErrTooMany, e.Count, e.Limit, 129-bits.Len64(e.Limit))
	}
	return fmt.Sprintf("%s: %s in scope, the limit is %d; name smaller prefixes or raise the limit (--max-addresses)",
		ErrTooMany, e.Count, e.Limit)
}

// Unwrap returns ErrTooMany.
func (e *TooManyError) Unwrap() error { return ErrTooMany }

// Warning is something odd but usable about an expression. It never changes
// which addresses are in scope beyond what Text says.
type Warning struct {
	// Expr is the expression as the user wrote it.
	Expr string
	// Text says what was made of it, one line without a full stop.
	Text string
}

// String gives the warning as one line that is safe to print.
func (w Warning) String() string {
	return "target " + quote(w.Expr) + ": " + w.Text
}

// quote makes an expression printable: no control characters, no line breaks,
// bounded length.
func quote(expr string) string {
	const keep = 80
	if len(expr) > keep {
		return strconv.Quote(expr[:keep]) + "..."
	}
	return strconv.Quote(expr)
}
