package firewall

// picture is all that a summary depends on. Many ports differ in which rule
// lets everybody in, not in who comes through.
type picture struct {
	all     setID
	strokes [8]struct {
		kind      ActionKind
		may, must setID
		target    *summary
	}
}

// picture gives the key of a summary that is worth keeping.
func (w *walk) picture(strokes []stroke) (key picture, large bool) {
	if w.marks != nil || len(w.nats) > 0 || len(strokes) > len(key.strokes) {
		return key, false
	}
	key.all = idOf(w.all)
	size := len(w.all.spans)
	for i := range strokes {
		s, k := &strokes[i], &key.strokes[i]
		if kind := s.rule.rule.Action.Kind; kind == DNAT || kind == Redirect {
			return key, false // what their bits mean is the walk's own
		}
		k.kind, k.may, k.must, k.target = s.rule.rule.Action.Kind, idOf(s.may), idOf(s.must), s.target
		size += len(s.may.spans)
		if s.target != nil {
			size += len(s.target.bounds)
		}
	}
	return key, size > few
}
