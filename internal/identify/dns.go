package identify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// VersionQuery is the CH TXT question for the software's version, by its
// oldest name, which most products answer.
func VersionQuery() dnswire.Query {
	return dnswire.Query{Name: "version.bind", Type: dnswire.TypeTXT, Class: dnswire.ClassCH}
}

// NSIDQuery asks for the name server identifier (RFC 5001).
func NSIDQuery() dnswire.Query {
	return dnswire.Query{Name: ".", Type: dnswire.TypeSOA, EDNS: &dnswire.EDNS{
		UDPSize: 1232, Options: []dnswire.Option{&dnswire.NSID{Code: dnswire.OptionNSID}},
	}}
}

// NoAnswer begins a detail that says what was asked and not answered, so that
// a missing name is not taken for a hidden one.
const NoAnswer = "no answer to "

// DNS names the software behind a DNS port by what it says of itself
// (version.bind, one CHAOS question) and by how it behaves. Words and
// behaviour that agree give high confidence; words alone or behaviour alone
// medium; where they contradict each other behaviour decides, with low
// confidence. The version is kept verbatim with a distribution's suffix.
// Nothing is concluded from cookies or NSID, for forwarders pass them through.
// With no transport in spoken nothing is asked and the result is Unknown.
func (i *Identifier) DNS(ctx context.Context, ask Asker, spoken []exposure.Transport) exposure.Service {
	if len(spoken) == 0 {
		return unproven("no DNS was proven")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*i.opts.Answer)
	defer cancel()
	var version, nsid dialogue.Answer
	var seen map[string]string
	var wg sync.WaitGroup
	wg.Go(func() { version = ask.Ask(ctx, spoken[0], VersionQuery()) })
	wg.Go(func() { nsid = ask.Ask(ctx, spoken[0], NSIDQuery()) })
	wg.Go(func() { seen = i.behaviour(ctx, ask, spoken) })
	wg.Wait()
	s := i.conclude(version, seen)
	if version.Msg == nil {
		s.Details = append(s.Details, NoAnswer+"version.bind")
	}
	if answered(seen) < fewest {
		s.Details = append(s.Details, NoAnswer+"the questions that tell families apart")
	}
	if version.Msg != nil && version.Foreign(ask.Addr()) {
		s.Confidence = exposure.Low
		s.Details = append(s.Details, "the answers come from "+version.Reply.From.String()+", so this is the software there")
	}
	if nsid.Msg != nil && nsid.Msg.NSID() != "" {
		s.Details = append(s.Details, "NSID "+cut(nsid.Msg.NSID()))
	}
	return s
}

// behaviour asks the behaviour questions, over TCP where it is spoken: there
// no rate limit drops them, and a server that ignores one closes at once. It
// ends as soon as what was answered can mean only one family and the rest has
// had its time.
func (i *Identifier) behaviour(ctx context.Context, ask Asker, spoken []exposure.Transport) map[string]string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	via := spoken[0]
	if slices.Contains(spoken, exposure.TCP) {
		via = exposure.TCP
	}
	type answer struct{ question, signature string }
	questions := behaviourQuestions()
	answers := make(chan answer, len(questions))
	for name, q := range questions {
		go func() { answers <- answer{name, signature(ask.Ask(ctx, via, q))} }()
	}
	seen := map[string]string{}
	var enough <-chan time.Time
	for range questions {
		select {
		case a := <-answers:
			seen[a.question] = a.signature
		case <-enough:
			return seen
		}
		if _, ok := recognise(seen); ok && enough == nil {
			enough = time.After(i.opts.Answer / 3)
		}
	}
	return seen
}

// conclude weighs the server's words against its behaviour. It is pure.
func (i *Identifier) conclude(version dialogue.Answer, seen map[string]string) exposure.Service {
	s := exposure.Service{Protocol: DNS, Confidence: exposure.High, How: "a DNS answer"}
	p, behaves := recognise(seen)
	said, words := i.words(version)
	if words {
		s.Banner = said.Banner
	}
	switch {
	case words && said.Name != "" && behaves:
		return weigh(s, said, p)
	case words && said.Name != "":
		said.Confidence, said.How = exposure.Medium, "version.bind"
		said.Details = append(said.Details, "behaviour fits no family that was measured, so it neither confirms nor contradicts the banner")
		return said
	case signature(version) == "NOTIMP ra q":
		// BIND, Unbound and the others refuse or answer names of class CHAOS.
		return named(s, exposure.Dnsmasq, exposure.Medium, "behaviour: NOTIMP to version.bind, as dnsmasq with no-ident")
	case behaves && p.product != "":
		return named(s, p.product, p.confidence, "behaviour: "+p.says)
	case behaves:
		s.Details = append(s.Details, "behaves as a forwarder: "+p.says)
	}
	return s
}

// weigh is for a server whose banner names a product and whose behaviour fits
// a profile.
func weigh(s, said exposure.Service, p profile) exposure.Service {
	forwards := p.product == ""
	switch {
	case p.product == said.Product, forwards && said.Product == exposure.Dnsmasq:
		said.Confidence, said.How = exposure.High, "version.bind, confirmed by behaviour"
		return said
	case forwards:
		said.Confidence, said.How = exposure.Low, "version.bind"
		said.Details = append(said.Details, "it behaves as a forwarder ("+p.says+"), so the version may be that of the server behind it")
		return said
	}
	out := named(s, p.product, exposure.Low, "behaviour: "+p.says)
	out.Details = append(out.Details, fmt.Sprintf(
		"version.bind says %q, which is not how %s behaves: the banner is made up, or the answer of another server is passed on", cut(said.Banner), said.Name))
	return out
}

func named(s exposure.Service, p exposure.Product, c exposure.Confidence, how string) exposure.Service {
	s.Product, s.Name, s.CPE, s.Confidence, s.How = p, p.Name(), productCPE(p), c, how
	return s
}

// words reads the answer to version.bind: ok when there is a text, Name set
// when the text names software.
func (i *Identifier) words(a dialogue.Answer) (exposure.Service, bool) {
	if a.Msg == nil || len(a.Msg.TXT()) == 0 {
		return exposure.Service{}, false
	}
	text := clip([]byte(a.Msg.TXT()[0]))
	s := exposure.Service{Protocol: DNS, Confidence: exposure.Medium, Banner: text}
	if i.prints == nil {
		return s, true
	}
	m, ok := i.prints.Match(recog.DNSVersion, strings.TrimSpace(text))
	if !ok {
		return s, true
	}
	s.Product, s.Name, s.Version, s.CPE = m.DNSProduct(), m.Name(), verbatim(text, m.Version()), m.CPE()
	if s.Product != "" {
		s.Name = s.Product.Name()
	}
	return s, true
}
