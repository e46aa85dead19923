package atlas

import (
	"cmp"
	"slices"
	"sort"
)

// registry is a packed list of registrations. It is looked up where it lies:
// nothing is decoded beforehand, and what is found are parts of it.
//
// Its parts, all numbers with the lowest byte first: how many records of one
// port and of ranges there are (4 bytes each), the length of the edition (1
// byte) and the edition, the records of one port, the ranges, and the texts that
// they point to. Records are ordered by first port, transport and place in the
// list.
type registry struct {
	edition string
	singles string // records of one port
	ranges  string
	texts   string
}

// A record is: first and last port, place in the list (2 bytes each),
// transport (1 byte, by transports), a byte of nothing, where its text begins
// (4 bytes). A text is the fields of texts(), each after its length.
const (
	recordSize = 12
	headSize   = 9
)

// transports lists them in the order in which they are shown. The last, empty
// one is of the rows that name none.
func transports() [5]string { return [5]string{"tcp", "udp", "sctp", "dccp", ""} }

func rankOf(transport string) (rank uint8, ok bool) {
	for i, t := range transports() {
		if t == transport {
			return uint8(i), true
		}
	}
	return 0, false
}

// openRegistry takes apart what pack made.
func openRegistry(packed string) registry {
	singles, ranges := int(number(packed, 0, 4)), int(number(packed, 4, 4))
	at := headSize + int(packed[headSize-1])
	r := registry{edition: packed[headSize:at]}
	r.singles, at = packed[at:at+singles*recordSize], at+singles*recordSize
	r.ranges, at = packed[at:at+ranges*recordSize], at+ranges*recordSize
	r.texts = packed[at:]
	return r
}

// number reads width bytes.
func number(s string, at, width int) uint32 {
	var n uint32
	for i := width - 1; i >= 0; i-- {
		n = n<<8 | uint32(s[at+i])
	}
	return n
}

// entry is a record that was read.
type entry struct {
	first, last, place uint16
	rank               uint8
	text               uint32
}

func entryAt(records string, i int) entry {
	r := records[i*recordSize : (i+1)*recordSize]
	return entry{
		first: uint16(number(r, 0, 2)), last: uint16(number(r, 2, 2)), place: uint16(number(r, 4, 2)),
		rank: r[6], text: number(r, 8, 4),
	}
}

// usual is how many entries a port has at most, nearly always.
const usual = 16

// find adds the entries of a port to found, by transport and place.
func (r *registry) find(found []entry, port uint16) []entry {
	n := len(r.singles) / recordSize
	at := sort.Search(n, func(i int) bool { return uint16(number(r.singles, i*recordSize, 2)) >= port })
	for ; at < n && uint16(number(r.singles, at*recordSize, 2)) == port; at++ {
		found = append(found, entryAt(r.singles, at))
	}
	alone := len(found)
	for i := range len(r.ranges) / recordSize {
		first, last := uint16(number(r.ranges, i*recordSize, 2)), uint16(number(r.ranges, i*recordSize+2, 2))
		if first > port {
			break
		}
		if port <= last {
			found = append(found, entryAt(r.ranges, i))
		}
	}
	if len(found) > alone {
		slices.SortFunc(found, func(a, b entry) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.place, b.place))
		})
	}
	return found
}

// name is the first field of a text.
func (r *registry) name(e entry) string {
	name, _ := r.field(int(e.text))
	return name
}

// field reads the field at a place, and gives where the next one begins.
func (r *registry) field(at int) (text string, next int) {
	length := int(r.texts[at])
	at++
	if length >= 0x80 {
		length = length&0x7f | int(r.texts[at])<<7
		at++
	}
	return r.texts[at : at+length], at + length
}

// registration reads all of an entry.
func (r *registry) registration(e entry) Registration {
	row := Registration{First: e.first, Last: e.last, Transport: transports()[e.rank]}
	at := int(e.text)
	for _, field := range row.texts() {
		*field, at = r.field(at)
	}
	return row
}

// texts are the fields of a row that are text, the name first.
func (r *Registration) texts() [7]*string {
	return [...]*string{&r.Name, &r.Description, &r.Reference, &r.Registered, &r.Modified, &r.Unauthorized, &r.Notes}
}

// all yields every entry, those of one port first.
func (r *registry) all(yield func(entry) bool) {
	for _, records := range [...]string{r.singles, r.ranges} {
		for i := range len(records) / recordSize {
			if !yield(entryAt(records, i)) {
				return
			}
		}
	}
}
