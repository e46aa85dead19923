package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"reconshield/internal/collector"
	"reconshield/internal/nonce"
)

type collectorFlags struct {
	zone        string
	key         string
	listen      []string
	nameservers []string
	addresses   []string
	dnssecKey   string
	log         string
	printDS     bool
	printDNSKEY bool
	printParent bool
}

func newCollectorCommand() *cobra.Command {
	var f collectorFlags
	cmd := &cobra.Command{
		Use:   "collector --zone ZONE",
		Short: "Run the server that recursive checks need",
		Long: `Serves one zone of computed answers, so that assess can see what a resolver
really does: whether it resolves for strangers, from which address and ports it
asks, whether it validates, whether its answers are the ones that were given.

Run it on a host that the resolvers can reach on port 53, over UDP and TCP,
delegate the zone to it (--print-delegation gives the records for the parent
zone), and pass the zone to assess with --collector. It answers for this zone
only, resolves nothing for anybody, and bounds what it sends.

SEC-1 needs a signed zone (--dnssec-key) whose DS record stands in the parent.`,
		Example: `reconshield collector --zone probe.example.net --dnssec-key probe.pem --address 192.0.2.11 --print-delegation
reconshield collector --zone probe.example.net --dnssec-key probe.pem --address 192.0.2.11
reconshield assess 192.0.2.53 --collector probe.example.net`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCollector(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.zone, "zone", "", "the `ZONE` to serve, such as probe.example.net (required)")
	flags.StringVar(&f.key, "key", "", "compute answers with this `KEY`; give the same to assess --collector-key")
	flags.StringSliceVar(&f.listen, "listen", nil, "serve on these `ADDRESSES`, port 53 when none is given (default every global address of this host)")
	flags.StringSliceVar(&f.nameservers, "ns", nil, "`NAMES` for the zone's NS records (default ns.ZONE)")
	flags.StringSliceVar(&f.addresses, "address", nil, "the `ADDRESSES` under which the world reaches this host (default those listened on)")
	flags.StringVar(&f.dnssecKey, "dnssec-key", "", "sign the zone with the key in `FILE`, which is made when it does not exist")
	flags.StringVar(&f.log, "log", "", "append a line of JSON for each query to `FILE` (- is standard output)")
	flags.BoolVar(&f.printDS, "print-ds", false, "print the DS record and end")
	flags.BoolVar(&f.printDNSKEY, "print-dnskey", false, "print the DNSKEY record and end")
	flags.BoolVar(&f.printParent, "print-delegation", false, "print the records for the parent zone and end")
	return cmd
}

func runCollector(ctx context.Context, f collectorFlags, stdout, stderr io.Writer) (err error) {
	if f.zone == "" {
		return errors.New("--zone is missing: name the zone to serve, such as probe.example.net")
	}
	listen, err := listenAddrs(f.listen)
	if err != nil {
		return err
	}
	opts, err := f.options(listen)
	if err != nil {
		return err
	}
	if f.printDS || f.printDNSKEY || f.printParent {
		return f.print(opts, stdout)
	}
	if len(listen) == 0 {
		return errors.New("this host has no global address: name one with --listen")
	}
	log, closeLog, err := openLog(f.log, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	opts.Log = log
	server, err := f.server(opts)
	if err != nil {
		return err
	}
	udp, tcp, err := bind(ctx, listen)
	if err != nil {
		return &exitError{exitUnmeasured, err}
	}
	for _, a := range listen {
		_, _ = fmt.Fprintf(stderr, "serving %s on %s, UDP and TCP\n", strings.TrimSuffix(f.zone, "."), a)
	}
	if opts.Key == nil {
		_, _ = fmt.Fprintln(stderr, "the zone is not signed, so SEC-1 cannot be tested with it: see --dnssec-key")
	}
	if err := server.Serve(ctx, udp, tcp); err != nil {
		return &exitError{exitUnmeasured, err}
	}
	return nil
}

// options turn flags into the collector's, with the zone's addresses taken
// from those listened on when none are given.
func (f collectorFlags) options(listen []netip.AddrPort) (collector.Options, error) {
	zone, err := nonce.New(f.zone, []byte(f.key))
	if err != nil {
		return collector.Options{}, flagged("--zone", "zone", err)
	}
	opts := collector.Options{Zone: zone, Nameservers: f.nameservers}
	for _, text := range f.addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return opts, fmt.Errorf("--address %q: not an address", text)
		}
		opts.Addresses = append(opts.Addresses, addr.Unmap())
	}
	if len(opts.Addresses) == 0 {
		for _, a := range listen {
			if !a.Addr().IsUnspecified() {
				opts.Addresses = append(opts.Addresses, a.Addr())
			}
		}
	}
	if f.dnssecKey != "" {
		opts.Key, err = collector.LoadKey(f.dnssecKey)
	}
	return opts, flagged("--dnssec-key", "signing key", err)
}

// server is the collector; what is wrong with a name server came from --ns.
func (f collectorFlags) server(opts collector.Options) (*collector.Server, error) {
	server, err := collector.New(opts)
	if len(f.nameservers) > 0 {
		err = flagged("--ns", "name server", err)
	}
	return server, err
}

// print writes the records asked for, in presentation form.
func (f collectorFlags) print(opts collector.Options, w io.Writer) error {
	if opts.Key == nil && (f.printDS || f.printDNSKEY) {
		return errors.New("an unsigned zone has no DS and no DNSKEY: add --dnssec-key FILE")
	}
	server, err := f.server(opts)
	if err != nil {
		return err
	}
	var lines []string
	if f.printParent {
		for _, rr := range server.Delegation() {
			lines = append(lines, rr.String())
		}
	} else if f.printDS {
		lines = append(lines, server.DS().String())
	}
	if f.printDNSKEY {
		lines = append(lines, server.DNSKEY().String())
	}
	_, err = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// listenAddrs reads addresses with or without a port. The host's own
// addresses are bound one by one, so that answers leave from the address asked.
func listenAddrs(texts []string) ([]netip.AddrPort, error) {
	const dnsPort = 53
	var out []netip.AddrPort
	for _, text := range texts {
		ap, err := netip.ParseAddrPort(text)
		if err != nil {
			addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
			if err != nil {
				return nil, fmt.Errorf("--listen %q: not an address, with or without a port", text)
			}
			ap = netip.AddrPortFrom(addr, dnsPort)
		}
		out = append(out, ap)
	}
	if len(out) > 0 {
		return out, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			out = append(out, netip.AddrPortFrom(p.Addr(), dnsPort))
		}
	}
	return out, nil
}

// bind opens a UDP and a TCP socket on every address, or none at all.
func bind(ctx context.Context, addrs []netip.AddrPort) (udp []net.PacketConn, tcp []net.Listener, err error) {
	var lc net.ListenConfig
	for _, a := range addrs {
		u, errUDP := lc.ListenPacket(ctx, "udp", a.String())
		if errUDP == nil {
			udp = append(udp, u)
		}
		t, errTCP := lc.Listen(ctx, "tcp", a.String())
		if errTCP == nil {
			tcp = append(tcp, t)
		}
		if err = errors.Join(errUDP, errTCP); err != nil {
			break
		}
	}
	if err == nil {
		return udp, tcp, nil
	}
	for _, c := range udp {
		_ = c.Close()
	}
	for _, l := range tcp {
		_ = l.Close()
	}
	return nil, nil, fmt.Errorf("listen: %w", err)
}

func openLog(file string, stdout io.Writer) (w io.Writer, closeLog func() error, err error) {
	nothing := func() error { return nil }
	switch file {
	case "":
		return nil, nothing, nil
	case "-":
		return stdout, nothing, nil
	}
	const ownerOnly = 0o600
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, ownerOnly)
	if err != nil {
		return nil, nothing, fmt.Errorf("--log: %w", err)
	}
	return f, f.Close, nil
}
