package rehearse

import "bytes"

// piece is a part of a ruleset for one call of one tool.
type piece struct {
	dialect Dialect
	legacy  bool
	text    []byte
	before  int // lines of the file before it
}

// pieces cuts the ruleset where another tool is needed: files may hold the
// tables of both IP versions and of both flavours one after the other.
func (r Ruleset) pieces() []piece {
	dialect := r.Dialect
	if dialect == Detect {
		dialect = DialectOf(r.Text)
	}
	now := piece{dialect: dialect}
	if dialect != IPTables && dialect != IP6Tables {
		now.text = r.Text
		return []piece{now}
	}
	var all []piece
	head := generated()
	begin, at, lines := 0, 0, 0
	for line := range bytes.Lines(r.Text) {
		if m := head.FindSubmatch(line); m != nil {
			next := piece{dialect: IPTables, before: lines}
			if string(m[1]) == "ip6tables" {
				next.dialect = IP6Tables
			}
			next.legacy = string(m[2]) != "-nft" && len(m[3]) == 0
			if next.dialect != now.dialect || next.legacy != now.legacy {
				if now.text = r.Text[begin:at]; len(bytes.TrimSpace(now.text)) > 0 {
					all = append(all, now)
				}
				now, begin = next, at
			}
		}
		at += len(line)
		lines++
	}
	now.text = r.Text[begin:]
	return append(all, now)
}
