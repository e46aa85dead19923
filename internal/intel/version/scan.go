package version

import (
	"strconv"
	"strings"
)

// maxText bounds what is read of a banner, in bytes.
const maxText = 512

// scanner takes a version apart from the left.
type scanner struct {
	rest string
	v    Version
}

// numbers takes the dotted numbers; ok is false when there is none or one is
// too large to be a part of a release number.
func (s *scanner) numbers() (ok bool) {
	for s.v.count < most {
		n, found := s.number()
		if !found {
			return s.v.count > 0
		}
		s.v.numbers[s.v.count] = n
		s.v.count++
		if len(s.rest) < 2 || s.rest[0] != '.' || !digit(s.rest[1]) {
			return true
		}
		s.rest = s.rest[1:]
	}
	return len(s.rest) == 0 || !digit(s.rest[0])
}

// number takes one decimal number of at most five digits with leading zeros
// allowed, as MaraDNS writes them.
func (s *scanner) number() (n uint32, ok bool) {
	end := 0
	for end < len(s.rest) && digit(s.rest[end]) {
		end++
	}
	v, err := strconv.ParseUint(s.rest[:end], 10, 32)
	const largest = 99999 // Windows numbers its builds up to five digits
	if end == 0 || end > 8 || err != nil || v > largest {
		return 0, false
	}
	s.rest = s.rest[end:]
	return uint32(v), true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// numbered takes a mark with a number behind it, as "-P2"; nothing is taken
// when the number is missing or what follows is still part of a word.
func (s *scanner) numbered(mark string) (n uint32, ok bool) {
	if len(s.rest) <= len(mark) || !strings.EqualFold(s.rest[:len(mark)], mark) {
		return 0, false
	}
	before := s.rest
	s.rest = s.rest[len(mark):]
	if n, ok = s.number(); !ok {
		s.rest = before
	}
	return n, ok
}

// bind takes BIND's own marks: 9.8.2rc1, 9.10.3-P4, 9.16.50-S1, 9.9.3-S1-P1,
// 9.6-ESV-R7-P2, 9.9.5-W1 (built for Windows once more), 8.3.7-REL, and the
// patches for response rate limiting that were once applied by hand.
func (s *scanner) bind() {
	s.rest = strings.TrimPrefix(s.rest, ".") // "9.6.-ESV-R6" was really shown
	s.preview()
	for {
		if mark, ok := s.word("-ESV", "-NOESW", "-REL"); ok {
			if mark == "-ESV" {
				s.v.Edition = ExtendedSupport
			}
			continue
		}
		if n, ok := s.numbered("-S"); ok {
			s.v.Edition, s.v.revision = SupportedPreview, n
			s.preview()
			continue
		}
		if s.v.Edition == ExtendedSupport {
			if n, ok := s.numbered("-R"); ok {
				s.v.revision = n
				s.preview()
				continue
			}
		}
		if n, ok := s.numbered("-P"); ok {
			s.v.patch[0] = n
			if sub, ok := s.numbered("."); ok {
				s.v.patch[1] = sub
			}
			continue
		}
		if _, ok := s.numbered("-W"); ok {
			continue
		}
		if s.rateLimiting() {
			continue
		}
		return
	}
}

// word takes one of the marks where nothing of a longer word follows.
func (s *scanner) word(marks ...string) (string, bool) {
	for _, m := range marks {
		rest, ok := strings.CutPrefix(s.rest, m)
		if ok && (rest == "" || rest[0] == '-' || rest[0] == ' ' || rest[0] == '+') {
			s.rest = rest
			return m, true
		}
	}
	return "", false
}

// rateLimiting takes "-rpz2+rl.13208.13" and "-rl.13207.22".
func (s *scanner) rateLimiting() bool {
	if !strings.HasPrefix(s.rest, "-rpz") && !strings.HasPrefix(s.rest, "-rl") && !strings.HasPrefix(s.rest, "+rpz") {
		return false
	}
	end := strings.IndexAny(s.rest[1:], "- ")
	if end < 0 {
		end = len(s.rest) - 1
	}
	s.rest = s.rest[1+end:]
	return true
}

// plain takes the pre-releases of the other products: 2.93rc1, 2.76test8,
// 4.0.0-alpha2, 0.108.0-b.55, 5.0.0-rc.1.
func (s *scanner) plain() { s.preview() }

// preview takes a pre-release mark and its number: rc1, -rc1, ~rc1, .rc1, -b.5.
func (s *scanner) preview() {
	if s.rest == "" {
		return
	}
	before := s.rest
	if strings.IndexByte("-~.", s.rest[0]) >= 0 {
		s.rest = s.rest[1:]
	}
	end := 0
	for end < len(s.rest) && letter(s.rest[end]) {
		end++
	}
	at, known := stageOf(s.rest[:end])
	if known {
		s.rest = s.rest[end:]
		if len(s.rest) < len(before)-end { // "-b.5", but not "b.5"
			s.rest = strings.TrimPrefix(s.rest, ".")
		}
		n, ok := s.number()
		if ok && (s.rest == "" || !letter(s.rest[0])) {
			s.v.stage, s.v.attempt = at, n
			return
		}
	}
	s.rest = before
}

// stageOf tells what a mark stands for.
func stageOf(mark string) (stage, bool) {
	switch strings.ToLower(mark) {
	case "alpha", "a", "test":
		return alpha, true
	case "beta", "b":
		return beta, true
	case "rc":
		return candidate, true
	}
	return released, false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// suffix judges what is left after the release.
func (s *scanner) suffix() {
	tail := strings.TrimSpace(s.rest)
	if tail == "" {
		return
	}
	s.v.Builder = builderOf(s.v.Product, tail)
	if s.v.Builder.Name != "" {
		return
	}
	switch mark, _, _ := strings.Cut(tail, " "); {
	case strings.HasPrefix(tail, "("), strings.HasPrefix(tail, "<id:"), strings.HasPrefix(tail, "$Id"), strings.HasPrefix(tail, ","):
		// "(Extended Support Version) <id:…>", "(built … by …)": the release's own words.
	case snapshot(mark):
		s.v.Snapshot = true
	case strings.HasPrefix(tail, "-"), strings.HasPrefix(tail, "+"), strings.HasPrefix(tail, "~"), strings.HasPrefix(tail, "_"), strings.HasPrefix(tail, "."):
		s.v.Builder = Builder{Name: unknownBuilder}
	}
}

// snapshot reports whether the mark is one that a build between releases carries.
func snapshot(mark string) bool {
	lower := strings.ToLower(mark)
	for _, word := range []string{"dev", "git", "master", "main", "dirty", "snapshot", "pre"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	_, hash, ok := strings.Cut(lower, "-g") // git describe: -12-gabc1234
	if !ok {
		_, hash, ok = strings.Cut(lower, ".g")
	}
	return ok && len(hash) >= 6 && strings.Trim(hash[:6], "0123456789abcdef") == ""
}
