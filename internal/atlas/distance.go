package atlas

// longestWord bounds the words that are compared letter by letter.
const longestWord = 32

// distance counts the letters to add, drop, replace or swap with the next one
// to make b of a (Damerau-Levenshtein, each letter touched once at most). It
// gives most+1 when there are more than most, and for words over longestWord.
func distance(a, b string, most int) int {
	if len(a) > longestWord || len(b) > longestWord || max(len(a)-len(b), len(b)-len(a)) > most {
		return most + 1
	}
	var rows [3][longestWord + 1]int // the row before the last, the last, this one
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[0][j-2]+1)
			}
			rows[2][j] = d
			least = min(least, d)
		}
		if least > most {
			return most + 1
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return min(rows[1][len(b)], most+1)
}

// tolerance is how many slips a word of that length may have.
func tolerance(length int) int {
	switch {
	case length < 4: //nolint:mnd // nearly every short word is close to another
		return 0
	case length < 8: //nolint:mnd // as above
		return 1
	}
	return 2
}
