package portlist

import (
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// element is what the public definition of the format says of one element:
// its children in order, and the attributes it must and may have.
type element struct {
	children  string // a regular expression over "name name "
	must, may string
}

func definition() map[string]element {
	return map[string]element{
		"nmaprun":   {`^(scaninfo )*verbose debugging (host )*runstats $`, "scanner start version xmloutputversion", "args startstr profile_name"},
		"scaninfo":  {`^$`, "type protocol numservices services", "scanflags"},
		"verbose":   {`^$`, "", "level"},
		"debugging": {`^$`, "", "level"},
		"host":      {`^status address hostnames ports $`, "", "starttime endtime timedout comment"},
		"status":    {`^$`, "state reason reason_ttl", ""},
		"address":   {`^$`, "addr", "addrtype vendor"},
		"hostnames": {`^(hostname )*$`, "", ""},
		"hostname":  {`^$`, "", "name type"},
		"ports":     {`^(port )+$`, "", ""},
		"port":      {`^state (service )?$`, "protocol portid", ""},
		"state":     {`^$`, "state reason reason_ttl", "reason_ip"},
		"service":   {`^(cpe )*$`, "name conf method", "version product extrainfo tunnel proto rpcnum lowver highver hostname ostype devicetype servicefp"},
		"cpe":       {`^$`, "", ""},
		"runstats":  {`^finished hosts $`, "", ""},
		"finished":  {`^$`, "time", "timestr elapsed summary exit errormsg"},
		"hosts":     {`^$`, "total", "up down"},
	}
}

// values are the enumerations that readers check.
func values() map[string]string {
	return map[string]string{
		"nmaprun scanner": "nmap", "scaninfo type": "syn connect udp", "scaninfo protocol": "tcp udp",
		"status state": "up down unknown", "address addrtype": "ipv4 ipv6", "port protocol": "tcp udp",
		"state state": "open closed filtered open|filtered unknown", "service method": "table probed",
		"service conf": "3 7 10", "finished exit": "success error", "hostname type": "user PTR",
	}
}

// checkStructure reads a whole document against the definition.
func checkStructure(t *testing.T, text string) {
	t.Helper()
	type frame struct{ name, children string }
	var stack []frame
	defined, allowed := definition(), values()
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := tok.Name.Local
			if n := len(stack); n > 0 {
				stack[n-1].children += name + " "
			}
			stack = append(stack, frame{name: name})
			e, ok := defined[name]
			if !ok {
				t.Fatalf("no such element: %s", name)
			}
			must, may := strings.Fields(e.must), strings.Fields(e.may)
			for _, a := range tok.Attr {
				if !slices.Contains(must, a.Name.Local) && !slices.Contains(may, a.Name.Local) {
					t.Errorf("%s has no attribute %s", name, a.Name.Local)
				}
				must = slices.DeleteFunc(must, func(m string) bool { return m == a.Name.Local })
				if list, ok := allowed[name+" "+a.Name.Local]; ok && !slices.Contains(strings.Fields(list), a.Value) {
					t.Errorf("%s %s=%q, not one of %s", name, a.Name.Local, a.Value, list)
				}
			}
			if len(must) > 0 {
				t.Errorf("%s lacks %v", name, must)
			}
		case xml.EndElement:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if e := defined[top.name]; !regexp.MustCompile(e.children).MatchString(top.children) {
				t.Errorf("%s holds %q, not %s", top.name, top.children, e.children)
			}
		}
	}
}

func TestXMLStructure(t *testing.T) {
	s := sampleSummary()
	dir := t.TempDir()
	connect := sampleOptions()
	connect.Mode = "connect"
	for name, text := range map[string]string{
		"stream": written(t, XML, sampleRows(), sampleOptions(), &s), "cut off": written(t, XML, sampleRows(), Options{}, nil),
		"file": file(t, XML, filepath.Join(dir, "a"), sampleRows(), connect, &s), "nothing": file(t, XML, filepath.Join(dir, "b"), nil, Options{}, &s),
		"cut-off file": file(t, XML, filepath.Join(dir, "c"), sampleRows(), sampleOptions(), nil),
	} {
		t.Run(name, func(t *testing.T) { checkStructure(t, text) })
	}
}

// TestXMLGroups: a file has each host once, in order, with its ports in order.
func TestXMLGroups(t *testing.T) {
	rows := many(900)
	for i := range rows {
		rows[i].Addr = numberedAddr(i * 7 % 10)
		rows[i].Port = uint16(i * 131 % 997)
	}
	s := sampleSummary()
	doc := readXML(t, file(t, XML, filepath.Join(t.TempDir(), "x"), rows, sampleOptions(), &s))
	total, before := 0, ""
	for _, h := range doc.Hosts {
		if h.Address.Addr <= before {
			t.Errorf("%s after %s", h.Address.Addr, before)
		}
		before = h.Address.Addr
		if !slices.IsSortedFunc(h.Ports, func(a, b xmlPort) int { return a.Port - b.Port }) {
			t.Errorf("%s: ports not in order", h.Address.Addr)
		}
		total += len(h.Ports)
	}
	if len(doc.Hosts) != 10 || total != 900 {
		t.Errorf("%d hosts, %d ports", len(doc.Hosts), total)
	}
}

func TestCountPorts(t *testing.T) {
	for list, want := range map[string]int{"": 0, "53": 1, "1-1024,8080": 1025, "0-65535": 65536, "x,3-y,5": 1, "9-3": 0} {
		if got := countPorts(list); got != want {
			t.Errorf("%q: %d, want %d", list, got, want)
		}
	}
}
