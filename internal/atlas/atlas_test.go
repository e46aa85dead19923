package atlas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/atlas"
	"reconshield/internal/atlas/iana"
)

// key is one port over one transport.
type key struct {
	port      uint16
	transport string
}

// published reads IANA's file and the later changes without the generator.
func published(t *testing.T) map[key][]string {
	t.Helper()
	in, err := os.Open("sources/service-names-port-numbers.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := iana.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	names := map[key][]string{}
	for _, row := range file.Rows {
		for port := int(row.First); port <= int(row.Last); port++ {
			k := key{uint16(port), row.Transport}
			names[k] = append(names[k], row.Name)
		}
	}
	text, err := os.ReadFile("sources/delta-2026-08-05.json")
	if err != nil {
		t.Fatal(err)
	}
	var delta struct {
		Added []struct {
			Port            uint16
			Transport, Name string
		}
		Changed []struct {
			Key string
			New []string
		}
	}
	if err := json.Unmarshal(text, &delta); err != nil {
		t.Fatal(err)
	}
	for _, a := range delta.Added {
		names[key{a.Port, a.Transport}] = []string{a.Name}
	}
	for _, c := range delta.Changed {
		var k key
		if _, err := fmt.Sscanf(c.Key, "%d/%s", &k.port, &k.transport); err != nil {
			t.Fatal(err)
		}
		names[k] = []string{c.New[0]}
	}
	return names
}

// TestRegistryAgrees walks every port: the names are those of IANA, all of them,
// in its order, and no other.
func TestRegistryAgrees(t *testing.T) {
	want := published(t)
	if len(want) < 12_000 {
		t.Fatalf("only %d ports have rows", len(want))
	}
	a, rows := atlas.Default(), 0
	order := []string{"tcp", "udp", "sctp", "dccp", ""}
	for port := range 1 << 16 {
		got := map[key][]string{}
		last := 0
		for _, row := range a.Registrations(uint16(port)) {
			k := key{uint16(port), row.Transport}
			got[k] = append(got[k], row.Name)
			rank := slices.Index(order, row.Transport)
			if rank < last || int(row.First) > port || port > int(row.Last) {
				t.Errorf("port %d: row out of place: %+v", port, row)
			}
			last = rank
			rows++
		}
		for _, transport := range order {
			k := key{uint16(port), transport}
			if diff := cmp.Diff(want[k], got[k]); diff != "" {
				t.Errorf("%v: %s", k, diff)
			}
			if transport == "" {
				continue
			}
			name := firstOf(slices.Concat(want[k], want[key{k.port, ""}]))
			if got := a.ServiceName(k.port, transport); got != name {
				t.Errorf("%v is called %q, want %q", k, got, name)
			}
		}
	}
	if rows < 12_600 {
		t.Errorf("only %d rows", rows)
	}
	if a.Edition() != "2026-08-05" {
		t.Errorf("edition %q", a.Edition())
	}
}

func firstOf(names []string) string {
	if i := slices.IndexFunc(names, func(n string) bool { return n != "" }); i >= 0 {
		return names[i]
	}
	return ""
}

// TestRegistryByName finds every name that IANA has under it, in any case.
func TestRegistryByName(t *testing.T) {
	names := map[string][]key{}
	for k, all := range published(t) {
		for _, name := range all {
			if name != "" {
				names[strings.ToLower(name)] = append(names[strings.ToLower(name)], k)
			}
		}
	}
	a, asked := atlas.Default(), 0
	for name, keys := range names {
		if asked++; asked%7 != 0 && len(keys) < 3 { // each takes 100 µs
			continue
		}
		found := a.ByName(strings.ToUpper(name))
		for _, k := range keys {
			if !slices.ContainsFunc(found, func(r atlas.Registration) bool {
				return r.First <= k.port && k.port <= r.Last && r.Transport == k.transport
			}) {
				t.Errorf("%s has %v, ByName gives %+v", name, k, found)
			}
		}
	}
}

func TestRegistration(t *testing.T) {
	a := atlas.Default()
	want := []atlas.Registration{
		{First: 853, Last: 853, Transport: "tcp", Name: "domain-s", Description: "DNS query-response protocol run over TLS"},
		{First: 853, Last: 853, Transport: "udp", Name: "domain-s", Description: "DNS query-response protocol run over DTLS or QUIC"},
	}
	got := a.Registrations(853)
	for i := range got {
		if got[i].Registered == "" || !strings.Contains(got[i].Reference, "RFC7858") {
			t.Errorf("%+v lacks its date or reference", got[i])
		}
		got[i].Registered, got[i].Modified, got[i].Reference = "", "", ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	tests := []struct {
		port            uint16
		transport, name string
	}{
		{53, "udp", "domain"},
		{53, "tcp", "domain"},
		{22, "sctp", "ssh"},
		{9, "dccp", "discard"},
		{6000, "tcp", "x11"},
		{6063, "udp", "x11"},
		{6064, "tcp", "ndl-ahp-svc"},
		{6667, "tcp", "ircu"},
		{6667, "udp", ""},
		{6400, "udp", "boe-cms"}, // registered without a transport
		{7325, "tcp", "swx"},
		{7123, "udp", "snif"},
		{4480, "udp", "agtp-quic"},
		{0, "tcp", ""},
		{65535, "udp", ""},
		{53, "", ""},
		{53, "quic", ""},
		{51820, "udp", ""},
	}
	for _, tt := range tests {
		got := a.ServiceName(tt.port, tt.transport)
		if got == "" && tt.transport == "" {
			continue
		}
		if got != tt.name {
			t.Errorf("%d/%s is %q, want %q", tt.port, tt.transport, got, tt.name)
		}
	}
}

func TestByName(t *testing.T) {
	tests := []struct{ service, want string }{
		{"domain", "53/tcp domain, 53/udp domain"},
		{"dns", "53/tcp domain, 53/udp domain"},
		{"DNS", "53/tcp domain, 53/udp domain"},
		{"rdp", "3389/tcp ms-wbt-server, 3389/udp ms-wbt-server"},
		{"postgres", "5432/tcp postgresql"},
		{"mysql", "3306/tcp mysql, 3306/udp mysql"},
		{"smb", "445/tcp microsoft-ds"},
		{"snmp", "161/tcp snmp, 161/udp snmp"},
		{"vnc", "5900/tcp rfb"},
		{"memcached", "11211/tcp memcache, 11211/udp memcache"},
		{"llmnr", "5355/tcp llmnr, 5355/udp llmnr"},
		{"boe-cms", "6400/ boe-cms"},
		{"x11", "6000/tcp x11, 6000/udp x11"},
		{"xyzzy", ""},
		{"", ""},
	}
	for _, tt := range tests {
		var got []string
		for _, r := range atlas.Default().ByName(tt.service) {
			got = append(got, fmt.Sprintf("%d/%s %s", r.First, r.Transport, r.Name))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.service, s, tt.want)
		}
	}
}

func TestPorts(t *testing.T) {
	tests := []struct{ service, want string }{
		{"ssh", "tcp/22"}, // what people mean
		{"domain", "tcp/53 udp/53"},
		{"domain-s", "tcp/853 udp/853"}, // what IANA has
		{"ms-wbt-server", "tcp/3389 udp/3389"},
		{"liebdevmgmt_c", "tcp/3027 udp/3027"},
		{"boe-cms", "tcp/6400 udp/6400"},
		{"ircu", "tcp/6665 tcp/6666 tcp/6667 tcp/6668 tcp/6669"},
		{"turn", "tcp/3478 tcp/5349 udp/3478 udp/5349"},
		{"samba", "tcp/139 tcp/445"}, // what people say
		{"xyzzy", ""},
		{"", ""},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range atlas.Default().Ports(tt.service) {
			got = append(got, p.String())
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.service, s, tt.want)
		}
	}
}

func TestNeighbours(t *testing.T) {
	tests := []struct {
		port uint16
		want []atlas.Neighbour
	}{
		{53, []atlas.Neighbour{{52, "xns-time", "one below"}, {54, "xns-ch", "one above"}}},
		{0, []atlas.Neighbour{{1, "tcpmux", "one above"}}},
		{6, []atlas.Neighbour{{5, "rje", "one below"}, {7, "echo", "one above"}}},
		{6010, []atlas.Neighbour{{6009, "x11", "one below"}, {6011, "x11", "one above"}}},
		{6065, []atlas.Neighbour{{6064, "ndl-ahp-svc", "one below"}, {6066, "ewctsp", "one above"}}},
		{6064, []atlas.Neighbour{{6063, "x11", "one below"}, {6065, "winpharaoh", "one above"}}},
		{10, []atlas.Neighbour{{9, "discard", "one below"}, {11, "systat", "one above"}}},
		{65535, []atlas.Neighbour{{49151, "", "the next registered port below, 16384 away"}}},
	}
	for _, tt := range tests {
		got := atlas.Default().Neighbours(tt.port)
		if tt.port == 65535 && len(got) == 1 && got[0].Name != "" { // whichever is the last of the registry
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d: %s", tt.port, diff)
		}
	}
}

// TestNeighboursOfAll compares with a walk over the names.
func TestNeighboursOfAll(t *testing.T) {
	a := atlas.Default()
	var named [1 << 16]bool
	for port := range named {
		named[port] = slices.ContainsFunc(a.Registrations(uint16(port)), func(r atlas.Registration) bool { return r.Name != "" })
	}
	below := make([]int, len(named))
	last := -1
	for port := range named {
		if below[port] = last; named[port] {
			last = port
		}
	}
	above := -1
	for port := len(named) - 1; port >= 0; port-- {
		var want, got []int
		for _, n := range []int{below[port], above} {
			if n >= 0 {
				want = append(want, n)
			}
		}
		for _, n := range a.Neighbours(uint16(port)) {
			got = append(got, int(n.Port))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d has %v, want %v", port, got, want)
		}
		if named[port] {
			above = port
		}
	}
}

func TestNew(t *testing.T) {
	rows := []atlas.Registration{
		{First: 7, Last: 9, Transport: "udp", Name: "range"},
		{First: 8, Last: 8, Transport: "udp", Name: "single", Description: strings.Repeat("long ", 200)},
		{First: 8, Last: 8, Transport: "tcp", Name: "other", Notes: "n", Unauthorized: "u", Reference: "r", Registered: "d", Modified: "m"},
		{First: 8, Last: 8, Name: "anywhere"},
		{First: 0, Last: 65535, Transport: "dccp"},
	}
	a, err := atlas.New(rows, "2030-01-02")
	if err != nil || a.Edition() != "2030-01-02" {
		t.Fatalf("edition %q, %v", a.Edition(), err)
	}
	want := []atlas.Registration{rows[2], rows[0], rows[1], rows[4], rows[3]}
	if diff := cmp.Diff(want, a.Registrations(8)); diff != "" {
		t.Error(diff)
	}
	if got := a.ServiceName(8, "udp"); got != "range" {
		t.Errorf("8/udp is %q, want the first name of the registry", got)
	}
	if got := a.ServiceName(8, "sctp"); got != "anywhere" {
		t.Errorf("8/sctp is %q", got)
	}
	if !slices.Equal(a.Handwritten(), atlas.Default().Handwritten()) {
		t.Error("the notes are others")
	}
	for name, bad := range map[string][]atlas.Registration{
		"transport": {{Transport: "icmp"}},
		"range":     {{First: 2, Last: 1}},
		"text":      {{Notes: strings.Repeat("x", 1<<14)}},
		"rows":      make([]atlas.Registration, 1<<16+1),
	} {
		if a, err := atlas.New(bad, ""); err == nil || a != nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := atlas.New(nil, strings.Repeat("x", 256)); err == nil {
		t.Error("an edition of 256 bytes fits")
	}
	if empty, err := atlas.New(nil, ""); err != nil || empty.Registrations(53) != nil || empty.Neighbours(53) != nil || empty.ByName("domain") != nil {
		t.Errorf("the empty registry holds something, %v", err)
	}
}
