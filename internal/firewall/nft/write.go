package nft

import "strings"

// String writes an expression in nft's words. Long sets are cut: it is for
// people.
func (e *expr) String() string {
	var b strings.Builder
	e.write(&b, 0)
	return b.String()
}

func (e *expr) write(b *strings.Builder, depth int) {
	if depth > maxDepth || b.Len() > 2*maxText {
		b.WriteString("…")
		return
	}
	switch e.kind {
	case exNone:
	case exValue:
		b.WriteString(e.text)
	case exSelector:
		if key, ok := strings.CutPrefix(e.text, "meta "); ok && (strings.HasPrefix(key, "iif") || strings.HasPrefix(key, "oif")) {
			b.WriteString(key)
			return
		}
		b.WriteString(e.text)
	case exAny:
		b.WriteByte('*')
	case exSetRef:
		b.WriteString("@" + e.text)
	case exRange:
		e.joined(b, "-", depth)
	case exConcat:
		e.joined(b, " . ", depth)
	case exList:
		e.joined(b, ",", depth)
	case exMapping:
		e.joined(b, " : ", depth)
	case exBits:
		e.joined(b, " "+e.text+" ", depth)
	case exMap:
		e.joined(b, " map ", depth)
	case exSet:
		b.WriteString("{ ")
		e.joined(b, ", ", depth)
		b.WriteString(" }")
	case exVerdict:
		b.WriteString(e.text)
		if len(e.args) > 0 {
			b.WriteByte(' ')
			e.joined(b, " ", depth)
		}
	}
}

func (e *expr) joined(b *strings.Builder, sep string, depth int) {
	for i := range e.args {
		if i > 0 {
			b.WriteString(sep)
		}
		if b.Len() > 2*maxText {
			b.WriteString("…")
			return
		}
		e.args[i].write(b, depth+1)
	}
}

// write writes a statement in nft's words.
func (s *stmt) write(b *strings.Builder) {
	switch s.kind {
	case stMatch:
		s.left.write(b, 0)
		flags := s.left.kind == exSelector && s.right.kind != exSet && s.right.kind != exSetRef && (s.left.text == "tcp flags" || s.left.text == "ct state" || s.left.text == "ct status")
		if s.op != "" && (s.op != "==" || s.left.kind == exBits || flags) {
			b.WriteString(" " + s.op)
		}
		b.WriteByte(' ')
		s.right.write(b, 0)
	case stVmap:
		s.left.write(b, 0)
		b.WriteString(" vmap ")
		s.right.write(b, 0)
	case stVerdict:
		s.left.write(b, 0)
	case stReject:
		b.WriteString("reject")
		if s.op != "" {
			b.WriteString(" with " + s.op)
		}
	case stNop, stUndecidable, stUnknown:
		b.WriteString(s.text)
	case stNAT:
		s.writeNAT(b)
	case stMangle:
		s.left.write(b, 0)
		b.WriteString(" set ")
		s.right.write(b, 0)
	case stUpdate:
		b.WriteString(s.op + " @" + s.left.text + " { … }")
	case stNotrack:
		b.WriteString("notrack")
	case stXT:
		b.WriteString("xt " + s.op + " " + s.text)
	}
}

func (s *stmt) writeNAT(b *strings.Builder) {
	b.WriteString(s.op)
	if s.text != "" {
		b.WriteString(" " + s.text)
	}
	if s.left.kind == exNone && s.right.kind == exNone {
		return
	}
	b.WriteString(" to ")
	if six := strings.Contains(firstText(&s.left), ":"); six && s.right.kind != exNone {
		b.WriteString("[" + s.left.String() + "]")
	} else {
		s.left.write(b, 0)
	}
	if s.right.kind != exNone {
		b.WriteByte(':')
		s.right.write(b, 0)
	}
}

// writeRule writes a rule back, at most maxText bytes.
func writeRule(before string, stmts []stmt) string {
	var b strings.Builder
	b.WriteString(before)
	for i := range stmts {
		if b.Len() > maxText {
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		stmts[i].write(&b)
	}
	return clip(b.String(), maxText-3)
}
