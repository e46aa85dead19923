package atlas

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Hit is a port that a search found.
type Hit struct {
	Port       uint16   `json:"port"`
	Transports []string `json:"transports,omitempty"`
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	// Match says what was found: "port", "name", "prefix", "words", "similar", or
	// "text" when only what was written of the port has some of the words.
	Match string `json:"match"`
	// Handwritten is true for a port with a note.
	Handwritten bool `json:"handwritten"`
}

// What a match is worth. Names of ports that matter more outweigh others by
// document.weight, which is below the steps between these.
const (
	scorePort    = 1000
	scoreName    = 900
	scorePrefix  = 700
	scorePhrase  = 650 // the words next to each other
	scoreWords   = 550 // all of the words, anywhere
	scoreSimilar = 500 // the name but for slips
	scoreSlips   = 300 // all of the words but for slips
	slip         = 80  // lost by each
)

// longestQuery bounds what is searched for, in bytes.
const longestQuery = 200

// Search finds ports by number, by a service's name as registered or as people
// call it, by the words of descriptions and of notes, and all that with slips
// of the typist. The best come first, at most limit; none for a limit below 1.
// The first search of an Atlas takes some milliseconds more. The slice is the
// caller's.
func (a *Atlas) Search(query string, limit int) []Hit {
	q := newQuery(query)
	if limit < 1 || q.name == "" {
		return nil
	}
	type scored struct {
		score int
		match string
		doc   *document
	}
	var found []scored
	documents := a.index()
	for i := range documents {
		d := &documents[i]
		if score, match := d.score(q); score > 0 {
			found = append(found, scored{score + d.weight, match, d})
		}
	}
	if len(found) == 0 {
		for i := range documents {
			if score := documents[i].mentions(q.words); score > 0 {
				found = append(found, scored{score, "text", &documents[i]})
			}
		}
	}
	slices.SortFunc(found, func(x, y scored) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.doc.port, y.doc.port))
	})
	hits := make([]Hit, 0, min(limit, len(found)))
	for _, f := range found[:cap(hits)] {
		hits = append(hits, Hit{
			Port: f.doc.port, Transports: slices.Clone(f.doc.transports), Name: f.doc.name, Title: f.doc.title,
			Match: f.match, Handwritten: f.doc.handwritten,
		})
	}
	return hits
}

// query is what is searched for.
type query struct {
	words []string
	name  string // the words as one
	port  int    // -1: no number
}

func newQuery(text string) query {
	if len(text) > longestQuery {
		text = text[:longestQuery]
	}
	q := query{words: wordsOf(text), port: -1}
	q.name = strings.Join(q.words, "")
	number := text
	for _, suffix := range [...]string{"/tcp", "/udp", "/sctp", "/dccp"} {
		number = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(number)), suffix)
	}
	if n, err := strconv.ParseUint(number, 10, 16); err == nil {
		q.port = int(n)
	}
	return q
}

// wordsOf cuts text at everything but letters and digits, in lower case.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// score is how well a document fits, 0 when it does not, and by what.
func (d *document) score(q query) (score int, match string) {
	if q.port == int(d.port) {
		return scorePort, "port"
	}
	for _, name := range d.names {
		s, m := scoreOfName(name, q.name)
		if s > score {
			score, match = s, m
		}
	}
	if score >= scorePhrase {
		return score, match
	}
	if s := d.scoreOfWords(q.words); s > score {
		score, match = s, "words"
		if s < scoreWords {
			match = "similar"
		}
	}
	return score, match
}

// scoreOfName compares names of which nothing but letters and digits is left.
func scoreOfName(name, asked string) (int, string) {
	const short = 2 // letters that begin too many names
	if name == asked {
		return scoreName, "name"
	}
	if len(asked) > short && strings.HasPrefix(name, asked) {
		return scorePrefix - min(len(name)-len(asked), scorePrefix-scorePhrase-1), "prefix"
	}
	most := tolerance(len(asked))
	if most == 0 || len(name) < len(asked)-most {
		return 0, ""
	}
	if d := distance(asked, name, most); d <= most {
		return scoreSimilar - (d-1)*slip, "similar"
	}
	return 0, ""
}

// scoreOfWords is above 0 only when every word is found.
func (d *document) scoreOfWords(asked []string) int {
	at, together, slips := -1, true, 0
	for _, word := range asked {
		i, n := d.word(word)
		if i < 0 {
			return 0
		}
		together = together && (at < 0 || i == at+1)
		at, slips = i, slips+n
	}
	switch {
	case slips > 0:
		return max(scoreSlips-slips*slip, 1)
	case together && len(asked) > 1:
		return scorePhrase
	}
	return scoreWords
}

// mentions counts how much of a query the note's text has: the more different
// words the better, then the more often.
func (d *document) mentions(asked []string) int {
	const (
		different = 20
		often     = 9 // repetitions of a word beyond these say no more
		short     = 2
	)
	score := 0
	for _, word := range asked {
		if n := d.prose[word]; n > 0 && len(word) > short {
			score += different + min(n, often)
		}
	}
	return score
}

// word finds a word: as it is, by its beginning, or with slips, whose number it
// gives; -1 when it is not there.
func (d *document) word(asked string) (at, slips int) {
	const short = 2
	if i := slices.Index(d.words, asked); i >= 0 {
		return i, 0
	}
	if len(asked) > short {
		if i := slices.IndexFunc(d.words, func(w string) bool { return strings.HasPrefix(w, asked) }); i >= 0 {
			return i, 0
		}
	}
	for n := 1; n <= tolerance(len(asked)); n++ {
		if i := slices.IndexFunc(d.words, func(w string) bool { return distance(asked, w, n) == n }); i >= 0 {
			return i, n
		}
	}
	return -1, 0
}
