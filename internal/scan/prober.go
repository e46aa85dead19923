package scan

import (
	"context"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// Prober is what the controls need of the network. Both methods are called
// from many goroutines; neither fails: what went wrong is in the reason.
type Prober interface {
	// Connect tries one TCP connection within the timeout.
	Connect(ctx context.Context, t exposure.Target, timeout time.Duration) exposure.Observation
	// Exchange sends a payload; for TCP without payload it connects only.
	Exchange(ctx context.Context, r exchange.Request) exchange.Reply
}

// Limiter paces packets over the whole run; *rate.Limiter is one.
type Limiter interface {
	// Wait blocks until one more packet may be sent.
	Wait(ctx context.Context) error
}
