package policy

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// maxQuoted bounds text of the file that is repeated in a message, in bytes.
const maxQuoted = 60

// quoted is text as a message shows it: bounded, on one line, nothing in it
// that a terminal could act on.
func quoted(text string) string {
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return strconv.QuoteToGraphic(text)
}

// didYouMean is the hint with the known word that is nearest to the one
// written, or with all known words when none is near and they are few.
func didYouMean(written string, known iter.Seq[string]) string {
	best, least := "", max(2, len(written)/3)+1
	var all []string
	for word := range known {
		if d := distance(strings.ToLower(written), strings.ToLower(word), least); d < least {
			best, least = word, d
		}
		if len(all) <= maxListed {
			all = append(all, word)
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", quoted(best))
	case len(all) == 0 || len(all) > maxListed:
		return ""
	}
	return "known are " + strings.Join(all, ", ")
}

// maxListed is how many known words a hint may list.
const maxListed = 12

// distance is how many insertions, deletions, replacements and swaps of
// neighbours make b of a, or most when it takes that many or more.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most || len(a) > 64 || len(b) > 64 {
		return most
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], most)
}
