package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"reconshield/internal/nonce"
)

// Query is one question that was answered.
type Query struct {
	nonce.Report

	Name  string // canonical
	Type  string
	Rcode string
}

// MarshalJSON gives the log's form, one flat object.
func (q Query) MarshalJSON() ([]byte, error) {
	transport, subnet := "udp", ""
	if q.Stream {
		transport = "tcp"
	}
	if q.Subnet.IsValid() {
		subnet = q.Subnet.String()
	}
	return json.Marshal(struct {
		Time      time.Time  `json:"time"`
		Sequence  uint64     `json:"sequence"`
		Source    netip.Addr `json:"source"`
		Port      uint16     `json:"port"`
		ID        uint16     `json:"id"`
		Transport string     `json:"transport"`
		Name      string     `json:"name"`
		Type      string     `json:"type"`
		Rcode     string     `json:"rcode"`
		EDNS      uint16     `json:"edns"`
		DO        bool       `json:"do"`
		Cookie    bool       `json:"cookie"`
		Mixed     bool       `json:"mixed_case"`
		Subnet    string     `json:"client_subnet,omitempty"`
	}{
		q.Time.UTC(), q.Sequence, q.Source.Addr(), q.Source.Port(), q.ID, transport, q.Name, q.Type, q.Rcode,
		q.EDNS, q.DO, q.Cookie, q.Mixed, subnet,
	})
}

// journal remembers the last queries and writes them out.
type journal struct {
	count atomic.Uint64

	mu   sync.Mutex
	ring []Query // grows to most, then the oldest is overwritten
	most int
	at   int
	out  io.Writer
	err  error // the first that writing met; nothing is written after it
}

func newJournal(most int, out io.Writer) *journal {
	if most <= 0 {
		most = 4096
	}
	return &journal{most: most, out: out}
}

// next numbers queries in the order of their arrival.
func (j *journal) next() uint64 { return j.count.Add(1) }

func (j *journal) add(q Query) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < j.most {
		j.ring = append(j.ring, q)
	} else {
		j.ring[j.at] = q
		j.at = (j.at + 1) % j.most
	}
	if j.out == nil || j.err != nil {
		return
	}
	if err := json.NewEncoder(j.out).Encode(q); err != nil {
		j.err = fmt.Errorf("collector: write the log: %w", err)
	}
}

func (j *journal) failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) seen(name string) []Query {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Query
	for i := range j.ring {
		q := j.ring[(j.at+i)%len(j.ring)]
		if strings.TrimSuffix(q.Name, ".") == name || slices.Contains(strings.Split(q.Name, "."), name) {
			out = append(out, q)
		}
	}
	return out
}
