package atlas

import (
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// document is what a search knows of one port.
type document struct {
	port        uint16
	transports  []string
	name, title string
	names       []string       // that it goes by, letters and digits only
	words       []string       // of everything that was said of it
	prose       map[string]int // words of the note, and how often they stand there
	weight      int
	handwritten bool
}

// Weights of what people are likely to mean, all together below the steps
// between the scores.
const (
	weightHandwritten = 20
	weightKnown       = 10 // a service that has a name among people
	weightTop         = 20 // the first of the ports most worth a look
)

// documents makes one for each port of which something is said, by port.
func (a *Atlas) documents() []document {
	var docs []document
	at := map[uint16]int{}
	doc := func(port uint16) *document {
		i, ok := at[port]
		if !ok {
			i = len(docs)
			at[port] = i
			docs = append(docs, document{port: port})
		}
		return &docs[i]
	}
	for e := range a.registry.all {
		row := a.registry.registration(e)
		if row.Name == "" {
			continue
		}
		for number := int(row.First); number <= int(row.Last); number++ {
			doc(uint16(number)).register(row)
		}
	}
	for _, name := range aliases() {
		for _, p := range alias(name) {
			doc(p.Number).call(name, string(p.Transport))
		}
	}
	all := a.notes()
	for i := range all {
		doc(all[i].Port).annotate(&all[i])
	}
	for _, t := range [...]exposure.Transport{exposure.TCP, exposure.UDP} {
		for i, p := range netset.TopPorts(t) {
			if i, n := at[p.Number], weightTop-i/5; p.Number == docs[i].port { //nolint:mnd // five have one weight
				docs[i].weight += max(n, 0)
			}
		}
	}
	slices.SortFunc(docs, func(a, b document) int { return int(a.port) - int(b.port) })
	return docs
}

func (d *document) register(row Registration) {
	// What IANA adds to hundreds of rows tells of none.
	description, _, _ := strings.Cut(row.Description, " IANA assigned this well-formed service name")
	if d.name == "" {
		d.name, d.title = row.Name, description
	}
	d.over(row.Transport)
	d.goesBy(row.Name)
	d.say(row.Name + " " + description)
}

// call adds what people call the port.
func (d *document) call(name, transport string) {
	if d.name == "" {
		d.name = name
	}
	if !strings.Contains(name, " ") {
		d.weight = max(d.weight, weightKnown)
	}
	d.over(transport)
	d.goesBy(name)
	d.say(name)
}

func (d *document) annotate(n *Note) {
	d.handwritten = true
	d.weight += weightHandwritten
	d.name, d.title = n.Name, n.Title
	d.goesBy(n.Name)
	d.goesBy(n.Title)
	d.say(n.Name + " " + n.Title + " " + string(n.Kind))
	for _, t := range n.Transports {
		d.over(t)
	}
	for _, use := range n.Uses {
		d.goesBy(use.Name)
		d.say(use.Name)
	}
	d.prose = map[string]int{}
	for _, text := range n.Sections.All() {
		for _, word := range wordsOf(text) {
			d.prose[word]++
		}
	}
}

func (d *document) over(transport string) {
	if transport != "" && !slices.Contains(d.transports, transport) {
		d.transports = append(d.transports, transport)
	}
}

func (d *document) goesBy(name string) {
	name = strings.Join(wordsOf(name), "")
	if name != "" && !slices.Contains(d.names, name) {
		d.names = append(d.names, name)
	}
}

// say adds words that are not said already in this order.
func (d *document) say(text string) {
	words := wordsOf(text)
	for i := range d.words {
		if i+len(words) <= len(d.words) && slices.Equal(d.words[i:i+len(words)], words) {
			return
		}
	}
	d.words = append(d.words, words...)
}
