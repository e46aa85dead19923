//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/lab"
	"reconshield/internal/lab/pair"
)

// speak runs serve for every connection to a port of the peer, on every address.
func speak(t *testing.T, p *pair.Pair, port int, serve func(net.Conn)) {
	t.Helper()
	var l net.Listener
	err := p.Peer.Do(func() (err error) {
		l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("[::]:%d", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
}

// What stands behind a port is told the same by both modes and over both
// versions of IP: services, tarpits of each kind, and what only shakes hands.
func TestScanProof(t *testing.T) {
	program := built(t)
	p := pair.New(t, pair.Options{})
	hosts := []string{"192.0.2.4", "2001:db8:1::44"}
	p.Addresses("192.0.2.4/32", "2001:db8:1::44/128")
	mute := func(net.Conn) { <-t.Context().Done() }
	for port, serve := range map[int]func(net.Conn){
		2200: func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")) },
		2201: mute, // takes what is sent
		2202: mute, // keeps a window of 0
		2203: mute, // keeps a window of 10 bytes, and acknowledges nothing
		2204: lab.Dribble(600*time.Millisecond, "", "k2\r\n"),
		2205: lab.Dribble(300*time.Millisecond, "SSH-2.0-", "x"),
		2206: func(net.Conn) {}, // hangs up
		2207: mute,              // never answers after the handshake
	} {
		speak(t, p, port, serve)
	}
	p.ListenUDP(53, func(question []byte) []byte {
		question[2] |= 0x80 // an empty DNS answer
		return question
	})
	p.NFT(`table inet tarpit {
chain in {
type filter hook input priority -150; policy accept;
tcp dport { 2203, 2207 } tcp flags & (syn | rst) == 0 drop
}
chain out {
type filter hook output priority 0; policy accept;
tcp sport 2202 tcp flags & rst == 0 tcp window set 0
tcp sport 2203 tcp flags & rst == 0 tcp window set 10
}
}
`)
	names := map[int]string{2200: "", 2201: "unproven", 2202: "tarpit", 2203: "tarpit", 2204: "tarpit", 2205: "tarpit", 2206: "unproven", 2207: "unproven"}
	for _, mode := range []string{"raw", "connect"} {
		for _, how := range []string{"--prove", "--service"} {
			t.Run(mode+how, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				got := scanWith(t, p.Command(program, "scan", hosts[0], hosts[1], "--ports", "T:2199-2207,U:53", how,
					"--mode", mode, "--format", "jsonl", "--progress", "none"))
				labels, states, services := map[string][]string{}, map[string]string{}, map[string]string{}
				for _, host := range hosts {
					for port, label := range names {
						target := "tcp/" + netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)).String() //nolint:gosec // a port
						states[target], services[target] = "open", "unknown"
						if label != "" {
							labels[target] = []string{label}
						}
						if port == 2200 || port == 2205 {
							services[target] = "ssh"
						}
					}
					target := "udp/" + netip.AddrPortFrom(netip.MustParseAddr(host), 53).String()
					states[target] = "open"
					if how == "--service" {
						services[target] = "dns"
					}
				}
				if diff := cmp.Diff(labels, got.labels); diff != "" || got.code != 0 {
					t.Errorf("exit code %d, labels\n%s\n%s", got.code, diff, got.stderr)
				}
				if diff := cmp.Diff(states, got.states); diff != "" {
					t.Errorf("states\n%s", diff)
				}
				if diff := cmp.Diff(services, got.services); diff != "" {
					t.Errorf("services\n%s", diff)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("took %s", took)
				}
			})
		}
	}
}

// A host of which every port is a tarpit is called both, however few of its
// ports are asked.
func TestScanProofOfSnare(t *testing.T) {
	program := built(t)
	for window, scaling := range map[string]string{"0": "1", "10": "0"} {
		t.Run("window "+window, func(t *testing.T) {
			t.Parallel()
			p := pair.New(t, pair.Options{Sysctl: map[string]string{"ipv4/tcp_window_scaling": scaling}})
			p.Addresses("192.0.2.4/31")
			speak(t, p, 2202, func(net.Conn) { <-t.Context().Done() })
			p.NFT(`table ip snare {
chain nat { type nat hook prerouting priority -100; policy accept; tcp dport 1-65535 redirect to :2202; }
chain out { type filter hook output priority 0; policy accept; tcp sport 2202 tcp flags & rst == 0 tcp window set ` + window + `; }
}
`)
			for _, ports := range []string{"T:80", "T:60-90"} {
				snared(t, p.Command(program, "scan", "192.0.2.4/31", "--ports", ports, "--prove", "--format", "jsonl", "--progress", "none"))
			}
		})
	}
}

func snared(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	start := time.Now()
	got := scanWith(t, cmd)
	if len(got.states) == 0 || got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	for target := range got.states {
		if diff := cmp.Diff([]string{"accepts-every-port", "tarpit"}, got.labels[target]); diff != "" {
			t.Errorf("%s\n%s", target, diff)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// A SYN proxy shakes hands for a server that refuses, or never answers.
func TestScanProofOfProxy(t *testing.T) {
	program := built(t)
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.4/32")
	p.NFT(`table ip proxy {
chain raw { type filter hook prerouting priority raw; policy accept; tcp dport { 8080, 8081 } tcp flags & (syn | ack) == syn notrack; }
chain in {
type filter hook input priority filter; policy accept;
tcp dport { 8080, 8081 } ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
ct state invalid drop
tcp dport 8081 drop
}
}
`)
	got := scanWith(t, p.Command(program, "scan", "192.0.2.4", "--ports", "T:8079-8082", "--prove", "--mode", "raw", "--format", "jsonl", "--progress", "none"))
	// One that holds its window shut for a silent server looks like a tarpit.
	labels := map[string][]string{"tcp/192.0.2.4:8080": {"unproven"}, "tcp/192.0.2.4:8081": {"tarpit"}}
	if diff := cmp.Diff(labels, got.labels); diff != "" || got.code != 0 {
		t.Errorf("exit code %d\n%s\n%s", got.code, diff, got.stderr)
	}
}
