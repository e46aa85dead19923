package app

import (
	"context"
	"slices"
	"sync"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/netset"
)

const dnsPort = dialogue.DNSPort

// assess identifies what listens on the host and runs the checks.
func (r *run) assess(ctx context.Context, h *host) exposure.Asset {
	d := dialogue.New(r.dialer, h.addr, dialogue.Options{
		Timeout: r.opts.Timeout, Wait: r.limiter.Wait, ChaosBudget: chaosBudget(r.profile), ServerName: firstName(h.names),
	})
	var others sync.WaitGroup
	server := r.identifyDNS(ctx, h, d)
	others.Go(func() {
		r.identifyOthers(ctx, h)
		r.doubtHost(ctx, h)
		r.tryPorts(ctx, h)
	})
	if len(server.Spoken) > 0 {
		others.Go(func() { r.doubtPath(ctx, h) })
	}
	s := dnscheck.NewSession(d, server, dnscheck.Options{
		Profile: r.profile, Zones: r.zones, Collector: r.nonces, StableName: r.opts.StableName,
		LookupPTR: r.lookupPTR, Dial: r.dialer, OnLink: r.dialer.OnLink,
		Credentials: slices.Contains(r.opts.Only, "CTL-4"),
	})
	ran := dnscheck.Run(ctx, s, r.checks, func(c dnscheck.Check) { r.opts.Progress.Note(h.addr.String() + " " + c.ID) })
	others.Wait()
	asset := exposure.Asset{
		Address: h.addr, Names: h.names, Labels: h.labels,
		Checks: dnscheck.Results(ran, dnsPort), Findings: dnscheck.Findings(s, ran),
	}
	for _, z := range s.Zones(ctx) {
		asset.Zones = append(asset.Zones, z.Name)
	}
	asset.Ports = h.ports()
	if r.versions {
		matchVersions(&asset, r.advisor)
	}
	addFirewall(&asset)
	return asset
}

// chaosBudget is how many CHAOS packets a server is sent: at one a second this
// bounds the time of a run.
func chaosBudget(profile dnscheck.Safety) int {
	if profile == dnscheck.Intrusive {
		return 10
	}
	return 3
}

func firstName(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// identifyDNS finds what speaks on port 53 and over which transports.
func (r *run) identifyDNS(ctx context.Context, h *host, d *dialogue.Dialogue) dnscheck.Server {
	server := dnscheck.Server{Addr: h.addr, Names: h.names, Observe: h.observe}
	transports := []exposure.Transport{exposure.UDP, exposure.TCP}
	speaks := make([]bool, len(transports))
	var wg sync.WaitGroup
	for i, via := range transports {
		state := h.observe(ctx, via, dnsPort).State
		// A silent UDP port may speak something else than the DNS it was asked in.
		silent := state == exposure.OpenFiltered && (h.alive() || r.scope.Single(h.addr))
		if state == exposure.Open || silent {
			wg.Go(func() {
				service := r.identifyPort(ctx, h, netset.Port{Transport: via, Number: dnsPort})
				speaks[i] = service.Protocol == identify.DNS
			})
		}
	}
	wg.Wait()
	for i, via := range transports {
		if speaks[i] {
			server.Spoken = append(server.Spoken, via)
		}
	}
	server.Closed = h.observe(ctx, exposure.UDP, dnsPort).State == exposure.Closed && h.observe(ctx, exposure.TCP, dnsPort).State == exposure.Closed
	if len(server.Spoken) == 0 {
		return server
	}
	identity := r.identifier.DNS(ctx, d, server.Spoken)
	server.Identity = &identity
	for _, via := range server.Spoken {
		h.setService(via, dnsPort, &identity)
	}
	return server
}

// identifyOthers proves what listens on the other open ports, a few at a time.
func (r *run) identifyOthers(ctx context.Context, h *host) {
	const atOnce = 4
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	var open []netset.Port
	for p := range r.ports.All() {
		if p.Number != dnsPort && h.observe(ctx, p.Transport, p.Number).State == exposure.Open {
			open = append(open, p)
		}
	}
	const many = 6 // so many open ports are worth a test before each is proven
	if len(open) >= many && r.acceptsEverything(ctx, h) {
		open = slices.DeleteFunc(open, func(p netset.Port) bool { return p.Transport == exposure.TCP })
	}
	for _, p := range open {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r.identifyPort(ctx, h, p)
		})
	}
	wg.Wait()
}

func (r *run) identifyPort(ctx context.Context, h *host, p netset.Port) exposure.Service {
	target := exposure.Target{Addr: h.addr, Transport: p.Transport, Port: p.Number}
	var service exposure.Service
	if p.Transport == exposure.UDP {
		service = r.identifier.UDP(ctx, target)
	} else {
		service = r.identifier.TCP(ctx, target)
	}
	if proven(&service) || ctx.Err() == nil { // a run that was cancelled proves nothing
		h.setService(p.Transport, p.Number, &service)
	}
	return service
}
