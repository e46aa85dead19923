package atlas

import (
	"slices"
	"testing"
)

// TestSearch holds with the registry alone, and so with whatever notes there
// are.
func TestSearch(t *testing.T) {
	tests := []struct {
		query string
		first uint16
		match string
	}{
		{"dns", 53, "name"},
		{"DNS", 53, "name"},
		{"domain", 53, "name"},
		{"domain name server", 53, ""},
		{"domain name system", 53, "name"},
		{"nameserver", 53, "name"},
		{"53", 53, "port"},
		{"53/udp", 53, "port"},
		{" 443 ", 443, "port"},
		{"remote desktop", 3389, "name"},
		{"Remote-Desktop", 3389, "name"},
		{"remote desktp", 3389, "similar"},
		{"rdp", 3389, "name"},
		{"ms-wbt-server", 3389, "name"},
		{"ms wbt server", 3389, "name"},
		{"postgres", 5432, "name"},
		{"postgress", 5432, ""},
		{"postgresql", 5432, "name"},
		{"postgre sql", 5432, "name"},
		{"memcach", 11211, "prefix"},
		{"memcached", 11211, "name"},
		{"mencached", 11211, "similar"},
		{"ssh", 22, "name"},
		{"secure shell", 22, "name"},
		{"telent", 23, "similar"},
		{"snpm", 161, "similar"},
		{"mysql", 3306, "name"},
		{"mysq", 3306, "prefix"},
		{"mongo", 27017, "name"},
		{"redsi", 6379, "similar"},
		{"smb", 445, "name"},
		{"ldap", 389, "name"},
		{"kerberos", 88, "name"},
		{"kerberus", 88, "similar"},
		{"multicast dns", 5353, "name"},
		{"network time protocol", 123, ""},
		{"file transfer protocol", 21, ""},
		{"secure shel", 22, ""},
		{"elasticsearch", 9200, "name"},
		{"elasticsaerch", 9200, "similar"},
		{"wireguard", 51820, "name"},
		{"wiregaurd", 51820, "similar"},
		{"modbus", 502, "name"},
		{"bacnet", 47808, "name"},
		{"docker", 2375, "name"},
		{"kubernetes", 6443, "name"},
		{"sip", 5060, "name"},
		{"vnc", 5900, "name"},
		{"dns over tls", 853, "name"},
		{"doq", 853, "name"},
		{"border gateway", 179, ""},
		{"x window", 6000, ""},
	}
	// A note may outweigh what the registry alone would put first.
	bare := open(embeddedRegistry, func() []Note { return nil })
	for name, a := range map[string]*Atlas{"bare": bare, "with notes": Default()} {
		for _, tt := range tests {
			hits := a.Search(tt.query, 5)
			if len(hits) == 0 || len(hits) > 5 || hits[0].Port != tt.first {
				t.Errorf("%s: %q finds %+v, want %d", name, tt.query, hits, tt.first)
				continue
			}
			if tt.match != "" && hits[0].Match != tt.match && name == "bare" {
				t.Errorf("%q finds %+v, by %s", tt.query, hits[0], tt.match)
			}
			if hits[0].Name == "" || len(hits[0].Transports) == 0 {
				t.Errorf("%q finds a port without name or transport: %+v", tt.query, hits[0])
			}
		}
	}
}

// TestSearchOfText: when nothing is called so, what was written helps.
func TestSearchOfText(t *testing.T) {
	for query, want := range map[string]uint16{
		"minecraft server": 25565, "plc siemens": 102, "dns qqqqzzzz": 53, "voip": 5060, "smtp ssl": 465, "time server": 123,
		"open resolver": 53, "pihole": 53, "bluekeep": 3389,
	} {
		hits := Default().Search(query, 3)
		if len(hits) == 0 || hits[0].Port != want {
			t.Errorf("%q finds %v, want %d first", query, hits, want)
		}
	}
}

func TestSearchFindsNothing(t *testing.T) {
	for _, query := range []string{"", " ", "-", "\x00", "qqqqzzzz", "70000", "qqqqzzzz wwwxxqq"} {
		if hits := Default().Search(query, 5); len(hits) != 0 {
			t.Errorf("%q finds %+v", query, hits)
		}
	}
	for _, limit := range []int{0, -1} {
		if hits := Default().Search("dns", limit); hits != nil {
			t.Errorf("limit %d gives %+v", limit, hits)
		}
	}
}

// TestSearchNotes finds what only a note tells.
func TestSearchNotes(t *testing.T) {
	a := open(embeddedRegistry, func() []Note {
		return []Note{{
			Port: 51413, Name: "Transmission", Title: "Peer listening port", Transports: []string{"tcp", "udp"},
			Uses: []Use{{Name: "Fizzbuzz Server", Transport: "tcp"}},
		}}
	})
	for _, query := range []string{"transmission", "trnasmission", "fizzbuzz server", "Fizzbuzz", "peer listening"} {
		hits := a.Search(query, 1)
		want := []string{"tcp", "udp"}
		if len(hits) != 1 || hits[0].Port != 51413 || !hits[0].Handwritten || !slices.Equal(hits[0].Transports, want) {
			t.Errorf("%q finds %+v", query, hits)
		}
	}
	if got := a.Ports("transmission"); len(got) != 2 || got[0].Number != 51413 {
		t.Errorf("Ports gives %v", got)
	}
}

func TestNearest(t *testing.T) {
	tests := []struct{ service, want string }{
		{"htps", "https"},
		{"htpt", "http"},
		{"postgress", "postgres"},
		{"shh", "ssh"},
		{"telent", "telnet"},
		{"domian", "domain"},
		{"memcach", "memcache"},
		{"sshd", "ssh"},
		{"MySQLd", "mysql"},
		{"elasticsaerch", "elasticsearch"},
		{"snpm", "snmp"},
		{"ftpd", "ftp"},
	}
	for _, tt := range tests {
		got := Default().Nearest(tt.service)
		if len(got) == 0 || len(got) > 3 || got[0] != tt.want {
			t.Errorf("%s: %q, want %s first", tt.service, got, tt.want)
		}
		for _, name := range got {
			if Default().Ports(name) == nil {
				t.Errorf("%s is suggested and has no port", name)
			}
		}
	}
	for _, service := range []string{"", "qqqqzzzzxx", "\x1b[2J", string(make([]byte, 5000))} {
		if got := Default().Nearest(service); got != nil {
			t.Errorf("%.20q: %q", service, got)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b       string
		most, want int
	}{
		{"", "", 2, 0},
		{"a", "", 2, 1},
		{"abc", "abc", 0, 0},
		{"abc", "abd", 0, 1},
		{"abc", "acb", 2, 1},
		{"ca", "abc", 3, 3},
		{"kitten", "sitting", 3, 3},
		{"kitten", "sitting", 2, 3},
		{"telent", "telnet", 1, 1},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b, tt.most); got != tt.want {
			t.Errorf("%s, %s, %d: %d, want %d", tt.a, tt.b, tt.most, got, tt.want)
		}
		if got := distance(tt.b, tt.a, tt.most); got != tt.want {
			t.Errorf("%s, %s, %d: %d, want %d", tt.b, tt.a, tt.most, got, tt.want)
		}
	}
}

func TestEmbeddedNotes(t *testing.T) {
	read, err := readNotes(embeddedNotes)
	if err != nil || len(read) == 0 {
		t.Fatalf("%d notes, %v", len(read), err)
	}
	if !slices.IsSortedFunc(read, func(a, b Note) int { return int(a.Port) - int(b.Port) }) {
		t.Error("the notes are out of order")
	}
	a := Default()
	for _, port := range a.Handwritten() {
		if n := a.note(port); n == nil || n.Port != port {
			t.Errorf("port %d has the note %+v", port, n)
		}
	}
	if a.note(1) != nil {
		t.Error("port 1 has a note")
	}
	if _, err := readNotes([]byte("no gzip")); err == nil {
		t.Error("text that is not compressed is read")
	}
}

func FuzzSearch(f *testing.F) {
	for _, query := range []string{"dns", "remote desktop", "53/udp", "\xff\x00é", "postgress"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, h := range Default().Search(query, 3) {
			if h.Name == "" || h.Match == "" {
				t.Errorf("%q finds %+v", query, h)
			}
		}
		for _, name := range Default().Nearest(query) {
			if Default().Ports(name) == nil {
				t.Errorf("%q suggests %q, which has no port", query, name)
			}
		}
	})
}
