// Package internal_test guards the shape of the whole program: which package
// may import which. It tests no behaviour.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "reconshield/"

// layer is the height of a package. Imports point down only.
type layer int

const (
	values   layer = iota // words and rules; no I/O
	engines               // decide what to send and what an answer means
	adapters              // sockets, files, databases
	surfaces              // what people and programs see
	app                   // wires everything
	command               // flags, signals, exit codes
	scenery               // stands beside the layers: for tests only
)

func (l layer) String() string {
	return [...]string{"values", "engines", "adapters", "surfaces", "app", "command", "scenery"}[l]
}

// layers places every package below internal by its first path element. A new
// package is added here, in .golangci.yml, and where the design is described.
func layers() map[string]layer {
	return map[string]layer{
		"atlas": values, "dialogue": values, "dnswire": values, "exchange": values, "exposure": values,
		"firewall": values, "intel": values, "netset": values, "nonce": values,
		"packet": values, "payload": values, "policy": values, "probe": values,

		"dnscheck": engines, "identify": engines, "monitor": engines, "scan": engines, "traffic": engines,

		"alert": adapters, "capture": adapters, "collector": adapters, "dial": adapters, "feeds": adapters,
		"fleet": adapters, "guard": adapters,
		"rawsock": adapters, "rehearse": adapters, "route": adapters, "store": adapters,

		"report": surfaces, "web": surfaces,

		"app": app,

		"bench": scenery, "lab": scenery, "oracle": scenery,
	}
}

// mayImport reports whether code in layer from may import layer to; both are
// in the module and in different families.
func mayImport(from, to layer) bool {
	switch from {
	case values, engines, adapters, scenery:
		return to == values
	case surfaces:
		return to == values || to == engines
	case app, command:
		return to < from
	}
	return false
}

// sole names the only family that may import a library, tests included.
func sole() map[string]string {
	return map[string]string{"github.com/miekg/dns": "dnswire"}
}

// pure lists the libraries that values may import; all of them do no I/O.
func pure() []string {
	return []string{
		"go4.org/netipx", "golang.org/x/net/idna", "golang.org/x/text", "github.com/miekg/dns", "github.com/goccy/go-yaml",
		"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty", "github.com/beevik/etree",
	}
}

// outside lists the standard packages through which code reaches the world.
func outside() []string {
	return []string{"crypto/tls", "database/sql", "log", "log/slog", "net", "net/http", "net/smtp", "os", "os/exec", "os/signal", "plugin", "syscall"}
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// goList lists every package of the module as built for one system.
func goList(t *testing.T, goos string) []listed {
	t.Helper()
	// go test caches by the files that the test itself opened; without this
	// walk it would not run again after a change elsewhere.
	for _, root := range []string{"../internal", "../cmd"} {
		_ = filepath.WalkDir(root, func(string, os.DirEntry, error) error { return nil })
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list for %s: %v", goos, err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list for %s names %d packages: the test looks in the wrong place", goos, len(all))
	}
	return all
}

// place gives the family and layer of an import path of the module; ok is
// false for a package that the table does not know.
func place(path string) (family string, l layer, ok bool) {
	rest := strings.TrimPrefix(path, module)
	if strings.HasPrefix(rest, "cmd/") {
		return rest, command, true
	}
	rest, inside := strings.CutPrefix(rest, "internal/")
	if !inside {
		return "", 0, false
	}
	family, _, _ = strings.Cut(rest, "/")
	l, ok = layers()[family]
	if strings.HasSuffix(rest, "/gen") {
		l = command // go generate runs it; nothing imports it
	}
	return family, l, ok
}

func within(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

// complaint says what is wrong with one import of non-test code; "" if nothing.
func complaint(family string, l layer, path string) string {
	if !strings.HasPrefix(path, module) {
		std := !strings.Contains(strings.Split(path, "/")[0], ".")
		switch {
		case l == values && std && slices.Contains(outside(), path):
			return "values do no I/O; take what is needed as an argument"
		case l == values && !std && !within(path, pure()):
			return "values import the standard library and the list in pure()"
		case l == engines && slices.Contains([]string{"database/sql", "os/exec", "syscall"}, path):
			return "engines reach the world through an interface they declare"
		}
		return ""
	}
	toFamily, to, ok := place(path)
	switch {
	case !ok:
		return "it is in no layer"
	case to == scenery && family != toFamily:
		return "only tests use the lab"
	case family != toFamily && !mayImport(l, to):
		return l.String() + " must not import " + to.String()
	}
	return ""
}

func TestLayers(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			for _, p := range goList(t, goos) {
				family, l, ok := place(p.ImportPath)
				if p.ImportPath == "reconshield/internal" {
					continue // this test
				}
				if !ok {
					t.Errorf("%s is in no layer: add it to layers() in internal/layers_test.go", p.ImportPath)
					continue
				}
				for _, path := range p.Imports {
					if why := complaint(family, l, path); why != "" {
						t.Errorf("%s (%s) imports %s: %s", p.ImportPath, l, path, why)
					}
				}
				for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
					if only, ok := sole()[path]; ok && only != family {
						t.Errorf("%s imports %s: only %s may", p.ImportPath, path, only)
					}
				}
			}
		})
	}
}

// The rules themselves, so that a table that allows everything is noticed.
func TestComplaint(t *testing.T) {
	tests := []struct {
		from, path string
		allowed    bool
	}{
		{"internal/dnswire", "github.com/miekg/dns", true},
		{"internal/exposure", "net/netip", true},
		{"internal/exposure", "net", false},
		{"internal/exposure", "os", false},
		{"internal/exposure", "golang.org/x/sys/unix", false},
		{"internal/firewall/nft", "reconshield/internal/firewall", true},
		{"internal/netset", "reconshield/internal/exposure", true},
		{"internal/netset", "reconshield/internal/dnscheck", false},
		{"internal/dnscheck", "reconshield/internal/dnswire", true},
		{"internal/dnscheck", "reconshield/internal/identify", false},
		{"internal/dnscheck", "reconshield/internal/dial", false},
		{"internal/dnscheck", "os/exec", false},
		{"internal/dial", "reconshield/internal/exchange", true},
		{"internal/dial", "reconshield/internal/collector", false},
		{"internal/dial", "reconshield/internal/dnscheck", false},
		{"internal/alert/webhook", "reconshield/internal/alert", true},
		{"internal/report", "reconshield/internal/dnscheck", true},
		{"internal/report", "reconshield/internal/dial", false},
		{"internal/report", "reconshield/internal/web", false},
		{"internal/app", "reconshield/internal/dial", true},
		{"internal/app", "reconshield/internal/lab", false},
		{"internal/lab", "reconshield/internal/dnswire", true},
		{"internal/lab", "reconshield/internal/dial", false},
		{"cmd/reconshield", "reconshield/internal/app", true},
		{"cmd/reconshield", "reconshield/internal/lab", false},
		{"internal/dnscheck", "reconshield/internal/helpers", false},
	}
	for _, tt := range tests {
		family, l, ok := place(module + tt.from)
		if !ok {
			t.Errorf("%s is in no layer", tt.from)
		}
		if why := complaint(family, l, tt.path); (why == "") != tt.allowed {
			t.Errorf("%s imports %s: allowed is %v, complaint %q", tt.from, tt.path, !tt.allowed, why)
		}
	}
}
