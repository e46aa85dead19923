package atlas

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Limits of what can be packed.
const (
	maxRows = 1 << 16
	maxText = 1<<14 - 1 // what two bytes of length hold, seven bits each
)

// Pack puts registrations into the form that is embedded and looked up. The
// edition says of when they are; it is at most 255 bytes. The result depends
// on nothing else.
func Pack(registrations []Registration, edition string) ([]byte, error) {
	if len(registrations) > maxRows {
		return nil, fmt.Errorf("%d registrations are more than the %d that fit", len(registrations), maxRows)
	}
	if len(edition) > 255 { //nolint:mnd // what a byte holds
		return nil, fmt.Errorf("the edition %.20q… is longer than 255 bytes", edition)
	}
	var (
		singles, ranges []entry
		texts           []byte
		known           = map[string]uint32{}
	)
	for i, row := range registrations {
		rank, ok := rankOf(row.Transport)
		if !ok || row.First > row.Last {
			return nil, fmt.Errorf("registration %d: ports %d-%d over %q", i, row.First, row.Last, row.Transport)
		}
		text, err := packText(row)
		if err != nil {
			return nil, fmt.Errorf("registration %d: %w", i, err)
		}
		at, ok := known[text]
		if !ok {
			at = uint32(len(texts)) //nolint:gosec // at most maxRows texts of seven fields
			known[text] = at
			texts = append(texts, text...)
		}
		e := entry{first: row.First, last: row.Last, place: uint16(i), rank: rank, text: at} //nolint:gosec // below maxRows
		if row.First == row.Last {
			singles = append(singles, e)
		} else {
			ranges = append(ranges, e)
		}
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(singles))) //nolint:gosec // at most maxRows
	out = binary.LittleEndian.AppendUint32(out, uint32(len(ranges)))   //nolint:gosec // at most maxRows
	out = append(out, byte(len(edition)))
	out = append(out, edition...)
	out = packEntries(out, singles)
	out = packEntries(out, ranges)
	return append(out, texts...), nil
}

func packText(row Registration) (string, error) {
	var text []byte
	for _, field := range row.texts() {
		n := len(*field)
		switch {
		case n > maxText:
			return "", fmt.Errorf("a text is longer than %d bytes", maxText)
		case n < 0x80:
			text = append(text, byte(n))
		default:
			text = append(text, byte(n&0x7f|0x80), byte(n>>7))
		}
		text = append(text, *field...)
	}
	return string(text), nil
}

func packEntries(out []byte, entries []entry) []byte {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.rank, b.rank), cmp.Compare(a.place, b.place))
	})
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, e.first)
		out = binary.LittleEndian.AppendUint16(out, e.last)
		out = binary.LittleEndian.AppendUint16(out, e.place)
		out = append(out, e.rank, 0)
		out = binary.LittleEndian.AppendUint32(out, e.text)
	}
	return out
}
