package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is how often the peer's counters are read.
const tick = 5 * time.Millisecond

// Count is what the peer's end of the link had seen at a time.
type Count struct {
	At       time.Time
	Received uint64 // probes, and what else the scanner's side said
	Sent     uint64 // answers
}

// count reads the peer's counters now.
func (s *Stage) count() (Count, error) {
	buf := make([]byte, 4096)
	n, err := s.counters.ReadAt(buf, 0)
	if n == 0 {
		return Count{}, fmt.Errorf("read the peer's counters: %w", err)
	}
	now := time.Now()
	for lines := bufio.NewScanner(bytes.NewReader(buf[:n])); lines.Scan(); {
		name, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		fields := strings.Fields(rest)
		if name != peerDevice || len(fields) < 10 {
			continue
		}
		received, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return Count{}, err
		}
		sent, err := strconv.ParseUint(fields[9], 10, 64)
		return Count{At: now, Received: received, Sent: sent}, err
	}
	return Count{}, fmt.Errorf("the peer has no interface %s", peerDevice)
}

// meter samples the peer's counters until stopped.
type meter struct {
	quit    chan struct{}
	done    chan struct{}
	samples []Count
	err     error
}

func (s *Stage) startMeter() *meter {
	m := &meter{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			c, err := s.count()
			if err != nil {
				m.err = err
				return
			}
			m.samples = append(m.samples, c)
			select {
			case <-ticker.C:
			case <-m.quit:
				return
			}
		}
	}()
	return m
}

// stop ends the sampling and returns the samples with a last one taken now.
func (m *meter) stop(s *Stage) ([]Count, error) {
	close(m.quit)
	<-m.done
	if m.err != nil {
		return nil, m.err
	}
	last, err := s.count()
	return append(m.samples, last), err
}

// Probes picks the counter that counts probes. Where every probe is answered
// that is the answers: some scanners send resets of their own, and the
// scanner's kernel does for SYN-ACKs it knows nothing of.
func (c Count) Probes(answered bool) uint64 {
	if answered {
		return c.Sent
	}
	return c.Received
}

// Rate is probes per second between the moments when 5 % and 95 % of them had
// been counted, so that starting and waiting do not count. It is 0 when that
// took less than two samples.
func Rate(samples []Count, answered bool) float64 {
	if len(samples) == 0 {
		return 0
	}
	first := samples[0].Probes(answered)
	total := samples[len(samples)-1].Probes(answered) - first
	var from, to *Count
	for i := range samples {
		c := &samples[i]
		if from == nil && c.Probes(answered)-first >= total/20 {
			from = c
		}
		if to == nil && c.Probes(answered)-first >= total-total/20 {
			to = c
		}
	}
	if from == nil || to == nil || !to.At.After(from.At) {
		return 0
	}
	return float64(to.Probes(answered)-from.Probes(answered)) / to.At.Sub(from.At).Seconds()
}

// machineBusy is the time all processors have spent at work since boot, in
// seconds, the kernel's own included.
func machineBusy() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	busy := 0.0
	for i, field := range strings.Fields(line) {
		ticks, err := strconv.ParseFloat(field, 64)
		// cpu user nice system idle iowait irq softirq steal …
		if err != nil || i == 4 || i == 5 || i > 7 {
			continue
		}
		busy += ticks / 100
	}
	return busy
}
