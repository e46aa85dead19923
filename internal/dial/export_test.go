package dial

import "reconshield/internal/payload"

// OpenPool makes a wire as systems other than Linux have it.
func (d *Dialer) OpenPool(payloads *payload.Table) *Wire {
	return &Wire{dialer: d, carrier: d.newPool(payloads)}
}
