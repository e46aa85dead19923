//go:build !linux

package dial

import "reconshield/internal/payload"

func (d *Dialer) newCarrier(payloads *payload.Table) (carrier, error) {
	return d.newPool(payloads), nil
}
