package rehearse_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/rehearse"
)

func TestMain(m *testing.M) {
	tasks := rehearse.Tasks{Stage: stageTask, Zone: zoneTask}
	if code, asked := rehearse.Main(tasks); asked {
		os.Exit(code) //nolint:forbidigo // the contract of Main
	}
	lab.Main(m)
}

func TestNoGoroutineIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := open(t, simpleScene(false))
	listenEverywhere(t, s)
	probe(t, s, rehearse.Probe{Zone: "wan", Target: host4, Port: 53, Protocol: 17, Kind: rehearse.Conversation})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Addresses of the scenes.
var (
	host6v = netip.MustParseAddr("2001:db8::53")
	host4  = netip.MustParseAddr("192.0.2.53")
	web4   = netip.MustParseAddr("172.17.0.2")
	wan4   = netip.MustParseAddr("203.0.113.9")
	wan6   = netip.MustParseAddr("2001:db8:113::9")
	vpn4   = netip.MustParseAddr("10.8.0.2")
	lan4   = netip.MustParseAddr("192.0.2.77")
	every4 = netip.MustParsePrefix("0.0.0.0/0")
	every6 = netip.MustParsePrefix("::/0")
	eth4   = netip.MustParsePrefix("192.0.2.53/24")
	eth6   = netip.MustParsePrefix("2001:db8::53/64")
)

// simpleScene is a host with a line to everybody, a tunnel and containers.
func simpleScene(static bool) rehearse.Scene {
	return rehearse.Scene{
		Static: static,
		Interfaces: []rehearse.Interface{
			{Name: "eth0", Addresses: []netip.Prefix{eth4, eth6}},
			{Name: "wg0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.8.0.1/24"), netip.MustParsePrefix("fd00:8::1/64")}},
			{Name: "docker0", Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.0.1/16")}},
			{Name: "bare0"},
		},
		Zones: []rehearse.Zone{
			{Name: "wan", Interface: "eth0", Sources: []netip.Addr{wan4, wan6}, Routes: []netip.Prefix{every4, every6}},
			{Name: "lan", Interface: "eth0", Sources: []netip.Addr{lan4, netip.MustParseAddr("2001:db8::77")}},
			{Name: "vpn", Interface: "wg0", Sources: []netip.Addr{vpn4, netip.MustParseAddr("fd00:8::2")}},
			{Name: "containers", Interface: "docker0", Sources: []netip.Addr{netip.MustParseAddr("172.17.0.9")}},
			{Name: "bare", Interface: "bare0", Sources: []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8:51::7")}},
			{Name: "self", Interface: rehearse.Loopback},
		},
		Behind: []rehearse.Host{{Name: "web", Interface: "docker0", Addresses: []netip.Addr{web4}}},
	}
}

func open(t *testing.T, scene rehearse.Scene) *rehearse.Stage {
	t.Helper()
	s, err := rehearse.Open(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// listenEverywhere starts servers on 22 and 53 of the host, 80 of the container
// and 53 of somebody outside.
func listenEverywhere(t *testing.T, s *rehearse.Stage) {
	t.Helper()
	if err := s.Listen(servers()...); err != nil {
		t.Fatal(err)
	}
}

func servers() []exposure.Target {
	var all []exposure.Target
	for _, transport := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		for _, at := range []netip.AddrPort{
			netip.AddrPortFrom(host4, 22), netip.AddrPortFrom(host6v, 22), netip.AddrPortFrom(host4, 53), netip.AddrPortFrom(host6v, 53),
			netip.AddrPortFrom(web4, 80), netip.AddrPortFrom(wan4, 53), netip.AddrPortFrom(wan6, 53),
		} {
			all = append(all, exposure.Target{Addr: at.Addr(), Transport: transport, Port: at.Port()})
		}
	}
	return all
}

func load(t *testing.T, s *rehearse.Stage, texts ...string) {
	t.Helper()
	var all []rehearse.Ruleset
	for i, text := range texts {
		all = append(all, rehearse.Ruleset{File: fmt.Sprintf("rules%d", i), Text: []byte(text)})
	}
	if err := s.Load(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
}

func probe(t *testing.T, s *rehearse.Stage, probes ...rehearse.Probe) []rehearse.Outcome {
	t.Helper()
	outcomes, err := s.Probe(t.Context(), probes)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// stageTask is what the test program does in the process of a stage: its input
// says what.
func stageTask(ctx context.Context, s *rehearse.Stage, input []byte) ([]byte, error) {
	word, rest, _ := strings.Cut(string(input), " ")
	switch word {
	case "probe":
		if err := s.Listen(servers()...); err != nil {
			return nil, err
		}
		var probes []rehearse.Probe
		if err := gob.NewDecoder(strings.NewReader(rest)).Decode(&probes); err != nil {
			return nil, err
		}
		outcomes, err := s.Probe(ctx, probes)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = gob.NewEncoder(&out).Encode(outcomes)
		return out.Bytes(), err
	case "zone":
		if err := s.Listen(servers()...); err != nil {
			return nil, err
		}
		return s.Zone(ctx, rest, []byte("dial"))
	case "wait":
		return nil, waitForever(ctx, s, rest)
	case "panic":
		panic("as it was told")
	}
	return nil, errors.New("told " + word)
}

// zoneTask connects from goroutines of the process.
func zoneTask(_ context.Context, input []byte) ([]byte, error) {
	errs := make(chan error)
	for range 4 {
		go func() {
			conn, err := net.Dial("tcp", "192.0.2.53:22")
			if err == nil {
				err = conn.Close()
			}
			errs <- err
		}()
	}
	var err error
	for range 4 {
		err = errors.Join(err, <-errs)
	}
	return append([]byte("done "), input...), err
}

func itoa(n uint16) string { return strconv.Itoa(int(n)) }

// waitForever keeps a stage and a process in one of its zones until somebody
// kills them, and writes to the file that they are there.
func waitForever(ctx context.Context, s *rehearse.Stage, file string) error {
	return s.In("wan", func() error {
		cmd := exec.CommandContext(ctx, "sleep", "1000000")
		if err := cmd.Start(); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte("there"), 0o600); err != nil {
			return err
		}
		return cmd.Wait()
	})
}
