package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"reconshield/internal/exposure"
)

// readMasscan reads masscan's list: "open tcp 53 192.0.2.1 1700000000".
func readMasscan(text []byte) (*Result, error) {
	r := newResult(false)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != "open" {
			continue
		}
		target, err := netip.ParseAddrPort(fields[3] + ":" + fields[2])
		if err != nil {
			return nil, fmt.Errorf("read masscan's list: %w", err)
		}
		r.add(target, exposure.Open)
	}
	return r, nil
}

// readZmap reads zmap's default output for one port: an address a line.
func readZmap(port uint16) func([]byte) (*Result, error) {
	return func(text []byte) (*Result, error) {
		r := newResult(false)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || line == "saddr" {
				continue
			}
			address, err := netip.ParseAddr(line)
			if err != nil {
				return nil, fmt.Errorf("read zmap's list: %w", err)
			}
			r.add(netip.AddrPortFrom(address, port), exposure.Open)
		}
		return r, nil
	}
}

// nmapRun is the part of nmap's XML output that is judged.
type nmapRun struct {
	Hosts []struct {
		Addresses []struct {
			Address string `xml:"addr,attr"`
			Type    string `xml:"addrtype,attr"`
		} `xml:"address"`
		Rest []struct {
			State string `xml:"state,attr"`
			Count int    `xml:"count,attr"`
		} `xml:"ports>extraports"`
		Ports []struct {
			ID    uint16 `xml:"portid,attr"`
			State struct {
				State string `xml:"state,attr"`
			} `xml:"state"`
		} `xml:"ports>port"`
	} `xml:"host"`
	Finished *struct{} `xml:"runstats>finished"`
}

// readNmap reads nmap's XML output.
func readNmap(text []byte) (*Result, error) {
	var run nmapRun
	if err := xml.Unmarshal(text, &run); err != nil {
		return nil, fmt.Errorf("read nmap's output: %w", err)
	}
	r := newResult(true)
	for _, host := range run.Hosts {
		var address netip.Addr
		for _, a := range host.Addresses {
			if a.Type == "mac" {
				continue
			}
			var err error
			if address, err = netip.ParseAddr(a.Address); err != nil {
				return nil, fmt.Errorf("read nmap's output: %w", err)
			}
		}
		for _, rest := range host.Rest {
			r.Count[exposure.State(rest.State)] += rest.Count
		}
		for _, port := range host.Ports {
			r.add(netip.AddrPortFrom(address, port.ID), exposure.State(port.State.State))
		}
	}
	return r, nil
}

// readOurs reads JSON lines. Their summary counts what they leave out, so every
// state is known.
func readOurs(text []byte) (*Result, error) {
	r := newResult(true)
	for raw := range bytes.Lines(text) {
		var line struct {
			Type    string                 `json:"type"`
			Address string                 `json:"address"`
			Port    uint16                 `json:"port"`
			State   exposure.State         `json:"state"`
			States  map[exposure.State]int `json:"states"`
		}
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, fmt.Errorf("read our lines: %w", err)
		}
		switch line.Type {
		case "summary":
			if listed := r.Count[exposure.Open]; listed != line.States[exposure.Open] {
				return nil, fmt.Errorf("read our lines: %d open ports are listed and %d counted", listed, line.States[exposure.Open])
			}
			r.Count = line.States
		case "port":
			address, err := netip.ParseAddr(line.Address)
			if err != nil {
				return nil, fmt.Errorf("read our lines: %w", err)
			}
			r.add(netip.AddrPortFrom(address, line.Port), line.State)
		}
	}
	return r, nil
}

// ownOurs gives the rate in our own summary.
func ownOurs(_, stats []byte) float64 {
	var summary struct {
		Sent     float64 `json:"probes_sent"`
		Duration float64 `json:"duration_s"`
	}
	if json.Unmarshal(stats, &summary) != nil || summary.Duration == 0 {
		return 0
	}
	return summary.Sent / summary.Duration
}

// saidOurs gives the completeness in our own summary.
func saidOurs(stats []byte) float64 {
	var summary struct {
		Completeness float64 `json:"completeness"`
	}
	_ = json.Unmarshal(stats, &summary) // 0 then: it claims nothing
	return summary.Completeness
}

// ownFlood gives the rate the bare loop prints.
func ownFlood(stderr, _ []byte) float64 {
	rate, _ := strconv.ParseFloat(strings.TrimSpace(string(stderr)), 64)
	return rate
}

// ownZmap gives the mean that zmap shows when it has sent everything:
// "send: 1048576 done (311 Kp/s avg)".
func ownZmap(stderr, _ []byte) float64 {
	_, rest, ok := strings.Cut(string(stderr), " done (")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 {
		return 0
	}
	rate, _ := strconv.ParseFloat(fields[0], 64)
	switch fields[1] {
	case "Kp/s":
		return rate * 1e3
	case "Mp/s":
		return rate * 1e6
	}
	return rate
}

// ownMasscan gives the median of the rates that masscan showed while it sent:
// "rate: 612.31-kpps, 45.10% done".
func ownMasscan(stderr, _ []byte) float64 {
	var rates []float64
	for _, part := range strings.Split(string(stderr), "rate:")[1:] {
		word, _, _ := strings.Cut(strings.TrimSpace(part), "-kpps")
		rate, err := strconv.ParseFloat(word, 64)
		if err == nil && rate > 0 && !strings.Contains(part, "waiting") {
			rates = append(rates, rate*1e3)
		}
	}
	return median(rates)
}
