package dial

import (
	"bytes"
	"testing"
)

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 4})
	f.Add([]byte{0xff, 0xff, 0})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b))
		if err != nil {
			if m != nil {
				t.Errorf("both a message and %v", err)
			}
			return
		}
		if !bytes.Equal(m, b[2:2+len(m)]) || int(b[0])<<8|int(b[1]) != len(m) {
			t.Errorf("%x read as %x", b, m)
		}
	})
}
