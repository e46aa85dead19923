package rehearse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// origin is how rules came into the kernel.
type origin struct {
	dialect Dialect
	legacy  bool
}

// Load loads rulesets into the host, sets first, then nft's, then iptables',
// each by its own tool, which replaces or adds to what is there as it does in
// life. A *LoadError says what a tool did not take.
func (s *Stage) Load(ctx context.Context, rulesets ...Ruleset) error {
	type job struct {
		piece
		file string
	}
	var jobs []job
	for _, r := range rulesets {
		for _, p := range r.pieces() {
			jobs = append(jobs, job{p, r.File})
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(order(a.dialect), order(b.dialect)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		if err := s.load(ctx, j.piece, j.file); err != nil {
			return err
		}
		at := origin{j.dialect, j.legacy}
		s.loaded[at] = append(s.loaded[at], tables(j.text)...)
	}
	return nil
}

func order(d Dialect) int {
	if d == NFTJSON {
		return int(NFT)
	}
	return int(d)
}

func (s *Stage) load(ctx context.Context, p piece, file string) error {
	tool, err := find(candidates(p))
	if err != nil {
		return err
	}
	var args []string
	switch p.dialect {
	case NFT:
		args = []string{"-f", "-"}
	case NFTJSON:
		args = []string{"-j", "-f", "-"}
	case IPSet:
		args = []string{"restore"}
	case IPTables, IP6Tables, Detect:
	}
	said, err := s.tool(ctx, tool, p.text, args...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && ctx.Err() == nil:
		failure := &LoadError{Tool: p.dialect.String(), File: file, Text: strings.ReplaceAll(said, "/dev/stdin", file)}
		if line := lineOf(said); line > 0 {
			failure.Line = line + p.before
		}
		return failure
	case err != nil:
		return fmt.Errorf("%s: %s: %w", file, p.dialect, cmp.Or(ctx.Err(), err))
	case strings.TrimSpace(said) != "":
		s.notes = append(s.notes, file+": "+p.dialect.String()+": "+(&LoadError{Text: said}).essence())
	}
	return nil
}

// tool runs a program in the host's namespace and gives what it said.
func (s *Stage) tool(ctx context.Context, path string, input []byte, args ...string) (string, error) {
	const most = 64 << 10
	var said bounded
	said.left = most
	err := s.host.do(func() error {
		cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // one of the tools below
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), io.Discard, &said
		cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "LC_ALL=C"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd.Run()
	})
	return said.String(), err
}

// bounded keeps the beginning of what is written.
type bounded struct {
	bytes.Buffer
	left int
}

// Write takes everything and keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.left)
	b.left -= keep
	_, _ = b.Buffer.Write(p[:keep])
	return len(p), nil
}

// lineOf finds the number of a line in what a tool said; 0 when there is none.
func lineOf(said string) int {
	m := regexp.MustCompile(`(?:/dev/stdin:|\bline:? )(\d+)`).FindStringSubmatch(said)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

// candidates are the programs that can load a piece, best first.
func candidates(p piece) []string {
	family := "iptables"
	switch p.dialect {
	case NFT, NFTJSON, Detect:
		return []string{"nft"}
	case IPSet:
		return []string{"ipset"}
	case IP6Tables:
		family = "ip6tables"
	case IPTables:
	}
	if p.legacy {
		return []string{family + "-legacy-restore", family + "-restore"}
	}
	return []string{family + "-nft-restore", family + "-restore"}
}

// find gives the first program that is there, also where Debian keeps them from
// ordinary users.
func find(names []string) (string, error) {
	for _, name := range names {
		for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found, nil
			}
		}
	}
	last := names[len(names)-1]
	debian := last
	switch {
	case last == "nft":
		debian = "nftables"
	case strings.HasSuffix(last, "tables-restore"):
		debian = "iptables"
	}
	return "", &UnavailableError{fmt.Sprintf("%s is missing: install the Debian package %s", last, debian)}
}

// Flush takes all rules and sets from the host and forgets all connections, so
// that others can be loaded.
func (s *Stage) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	nft, sets := false, false
	for f, tables := range s.loaded {
		switch {
		case f.dialect == IPSet:
			sets = true
		case f.legacy:
			if err := s.load(ctx, piece{dialect: f.dialect, legacy: true, text: []byte(empty(tables))}, "flush"); err != nil {
				return err
			}
		default:
			nft = true
		}
	}
	if nft {
		if err := s.load(ctx, piece{dialect: NFT, text: []byte("flush ruleset\n")}, "flush"); err != nil {
			return err
		}
	}
	// The kernel keeps sets that a rule uses, so they go last.
	if sets {
		if err := s.destroySets(ctx); err != nil {
			return err
		}
	}
	clear(s.loaded)
	return s.forget()
}

// destroySets tries for a while: nf_tables lets go of the sets that deleted
// rules used only after a grace period of the kernel, without a sign.
func (s *Stage) destroySets(ctx context.Context) error {
	tool, err := find([]string{"ipset"})
	if err != nil {
		return err
	}
	// A set that is an element of another counts as in use.
	if said, err := s.tool(ctx, tool, nil, "flush"); err != nil {
		return fmt.Errorf("ipset flush: %w: %s", err, strings.TrimSpace(said))
	}
	const every, patience = 5 * time.Millisecond, 10 * time.Second
	for waited := time.Duration(0); ; waited += every {
		said, err := s.tool(ctx, tool, nil, "destroy")
		if err == nil {
			return nil
		}
		if waited > patience || !strings.Contains(said, "in use") {
			return fmt.Errorf("ipset destroy: %w: %s", err, strings.TrimSpace(said))
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tables lists the tables that a text for iptables-restore holds.
func tables(text []byte) []string {
	var all []string
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("*")); ok && !slices.Contains(all, string(name)) {
			all = append(all, string(name))
		}
	}
	return all
}

// empty is the state of tables before anything was loaded.
func empty(tables []string) string {
	chains := map[string][]string{
		"raw": {"PREROUTING", "OUTPUT"}, "mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
		"nat": {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, "filter": {"INPUT", "FORWARD", "OUTPUT"},
		"security": {"INPUT", "FORWARD", "OUTPUT"},
	}
	var b strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&b, "*%s\n", table)
		for _, chain := range chains[table] {
			fmt.Fprintf(&b, ":%s ACCEPT [0:0]\n", chain)
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// Forget clears the host's table of connections, so that packets of a probe
// sent again are the first of their conversation again.
func (s *Stage) Forget() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget()
}

func (s *Stage) forget() error {
	handle, err := s.host.netlink(unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := handle.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		return fmt.Errorf("forget connections: %w", err)
	}
	return nil
}
