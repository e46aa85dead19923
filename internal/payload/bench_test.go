package payload_test

import (
	"testing"

	"reconshield/internal/payload"
)

func BenchmarkAppend(b *testing.B) {
	table := payload.New()
	buffer := make([]byte, 0, 1500)
	for _, port := range []uint16{53, 123, 443, 3702} {
		p := table.For(port)
		b.Run(p.Protocol, func(b *testing.B) {
			cookie := uint64(0)
			for b.Loop() {
				cookie++
				buffer = table.For(port).Append(buffer[:0], cookie)
			}
		})
	}
}
