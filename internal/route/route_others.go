//go:build !linux

package route

import (
	"context"
	"errors"
	"fmt"

	"go4.org/netipx"

	"reconshield/internal/probe"
)

func paths(context.Context, []netipx.IPRange, Options) ([]probe.Path, error) {
	return nil, fmt.Errorf("reading routes needs Linux, use connect mode: %w", errors.ErrUnsupported)
}
