//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reconshield/internal/dnswire"
)

// startLimit bounds how long a server may take until it answers. It is long
// because test machines are slow and shared; a server that dies ends the wait.
const startLimit = 60 * time.Second

// Options choose what differs from lab to lab.
type Options struct {
	// Anchor is the DNSKEY or DS record of probe.test in presentation form,
	// which validating resolvers then trust. Empty: none.
	Anchor string
}

// Lab is one running topology. Its methods may be used by the subtests of the
// test that made it, concurrently.
type Lab struct {
	tb     testing.TB
	anchor *dnswire.DS // nil: none
	router *namespace
	dir    string
	kinds  map[string]Kind

	mu      sync.Mutex
	hosts   map[string]*Host
	started map[string]*start
	running []*Process
	closers []func()
	next    map[string]int
}

// start is one attempt to start a kind, made once.
type start struct {
	once sync.Once
	host *Host
	err  error
}

// alive counts labs: their addresses are fixed, so there may be one at a time.
var alive atomic.Int32 //nolint:gochecknoglobals // guards the process's own network namespace, which is global too

// New builds the topology; it is torn down when tb ends. The process must run
// under [Main], and only one Lab may exist at a time.
func New(tb testing.TB, opts Options) *Lab {
	tb.Helper()
	if os.Getenv(envInside) == "" {
		tb.Fatal("lab: call lab.Main from TestMain of this package")
	}
	if !alive.CompareAndSwap(0, 1) {
		tb.Fatal("lab: only one lab at a time, end the other test first")
	}
	l := &Lab{
		tb:      tb,
		kinds:   map[string]Kind{},
		hosts:   map[string]*Host{},
		started: map[string]*start{},
		next:    map[string]int{},
	}
	tb.Cleanup(func() {
		l.close()
		alive.Store(0)
	})
	for _, k := range Kinds() {
		l.kinds[k.Name] = k
	}
	anchor, err := parseAnchor(opts.Anchor)
	if err != nil {
		tb.Fatal("lab:", err)
	}
	l.anchor = anchor
	dir, err := os.MkdirTemp(labRoot, "") //nolint:usetesting // short paths for sockets, on the private tmpfs
	if err != nil {
		tb.Fatal("lab:", err)
	}
	l.dir = dir
	router, err := buildRouter()
	l.router = router
	if err != nil {
		tb.Fatal("lab:", err)
	}
	return l
}

// Host returns the empty host of that name and makes it when it is not there:
// a network namespace with addresses in the servers segment and nothing
// running. "collector" has the address that probe.test is delegated to.
func (l *Lab) Host(tb testing.TB, name string) *Host {
	tb.Helper()
	h, err := l.host(name, servers())
	if err != nil {
		tb.Fatal("lab:", err)
	}
	return h
}

func (l *Lab) host(name string, s segment) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h, ok := l.hosts[name]; ok {
		return h, nil
	}
	n, fixed := number(name)
	if !fixed {
		n = l.next[s.bridge] + firstFree
		l.next[s.bridge]++
	}
	if n > 254 {
		return nil, fmt.Errorf("host %s: segment %s is full", name, s.bridge)
	}
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	v4, v6 := s.address(n)
	h := &Host{Name: name, V4: v4, V6: v6, lab: l, ns: ns, dir: filepath.Join(l.dir, strconv.Itoa(len(l.hosts)))}
	l.hosts[name] = h
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return nil, err
	}
	if err := attach(l.router, ns, s, n); err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	return h, nil
}

// Start starts a server of the catalogue, once a Lab, and returns its host
// when it answers. An unknown kind, a missing program and a server that does
// not come up end the test.
func (l *Lab) Start(tb testing.TB, kind string) *Host {
	tb.Helper()
	return l.StartAll(tb, kind)[kind]
}

// StartAll starts several servers of the catalogue in parallel.
func (l *Lab) StartAll(tb testing.TB, kinds ...string) map[string]*Host {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startLimit)
	defer cancel()
	hosts, errs := make([]*Host, len(kinds)), make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		wg.Go(func() { hosts[i], errs[i] = l.start(ctx, kind) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal("lab:", err)
	}
	all := make(map[string]*Host, len(kinds))
	for i, kind := range kinds {
		all[kind] = hosts[i]
	}
	return all
}

func (l *Lab) start(ctx context.Context, name string) (*Host, error) {
	kind, ok := l.kinds[name]
	if !ok {
		return nil, fmt.Errorf("no kind %q in the catalogue", name)
	}
	l.mu.Lock()
	once, ok := l.started[name]
	if !ok {
		once = &start{}
		l.started[name] = once
	}
	l.mu.Unlock()
	once.once.Do(func() {
		once.host, once.err = l.launch(ctx, kind)
		if once.err != nil {
			once.err = fmt.Errorf("start %s (Debian packages: %s): %w", name, strings.Join(kind.Packages, " "), once.err)
		}
	})
	return once.host, once.err
}

func (l *Lab) launch(ctx context.Context, kind Kind) (*Host, error) {
	errs := make([]error, len(kind.needs))
	var wg sync.WaitGroup
	for i, need := range kind.needs {
		wg.Go(func() { _, errs[i] = l.start(ctx, need) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	in := servers()
	if kind.intercepted {
		in = intercepted()
	}
	h, err := l.host(kind.Name, in)
	if err != nil {
		return nil, err
	}
	return h, kind.start(&setup{ctx: ctx, lab: l, host: h})
}

// onClose registers what to undo before the namespaces go.
func (l *Lab) onClose(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, fn)
}

func (l *Lab) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range slices.Backward(l.closers) {
		fn()
	}
	for _, p := range l.running {
		if p.ended() {
			l.tb.Logf("lab: %s ended before the test, end of its log:\n%s", p.name, p.tail())
		}
		p.kill()
	}
	for _, p := range l.running {
		p.wait()
	}
	if l.router != nil {
		if err := removeScannerLink(); err != nil {
			l.tb.Log("lab: remove the scanner's link:", err)
		}
	}
	for _, h := range l.hosts {
		h.ns.close()
	}
	l.router.close()
	if l.dir != "" {
		_ = os.RemoveAll(l.dir)
	}
}
