package epss

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"
)

// The stored form: magic, date (10 bytes, blanks when unknown), then records of
// a key (8 bytes, highest first, so that text order is theirs) and a score in
// units (4 bytes), ordered by key.
const (
	magic      = "RSEPSS1\n"
	dateSize   = len("2006-01-02")
	keySize    = 8
	recordSize = keySize + 4
	headSize   = len(magic) + dateSize
)

func pack(scores []score) string {
	out := make([]byte, 0, len(scores)*recordSize)
	for _, s := range scores {
		out = binary.BigEndian.AppendUint64(out, s.key)
		out = binary.BigEndian.AppendUint32(out, s.value)
	}
	return string(out)
}

// Len is how many scores there are.
func (s *Scores) Len() int { return len(s.records) / recordSize }

// Date is the day for which they were computed, YYYY-MM-DD; it may be empty.
func (s *Scores) Date() string { return s.date }

// Of gives the score of a CVE, 0 to 1; ok tells whether it has one.
func (s *Scores) Of(cve string) (p float64, ok bool) {
	key, ok := keyOf(cve)
	if !ok {
		return 0, false
	}
	var want [keySize]byte
	binary.BigEndian.PutUint64(want[:], key)
	n := s.Len()
	at := sort.Search(n, func(i int) bool { return s.records[i*recordSize:i*recordSize+keySize] >= string(want[:]) })
	if at == n || s.records[at*recordSize:at*recordSize+keySize] != string(want[:]) {
		return 0, false
	}
	value := binary.BigEndian.Uint32([]byte(s.records[at*recordSize+keySize : (at+1)*recordSize]))
	return math.Round(float64(value)) / (1 / unit), true
}

// Encode gives the scores in the form that Decode reads.
func (s *Scores) Encode() []byte {
	date := s.date
	if date == "" {
		date = "          "
	}
	return []byte(magic + date + s.records)
}

// Decode reads what Encode made.
func Decode(data []byte) (*Scores, error) {
	if len(data) < headSize || string(data[:len(magic)]) != magic || (len(data)-headSize)%recordSize != 0 {
		return nil, errors.New("stored EPSS scores: not in the form that this program writes")
	}
	s := &Scores{records: string(data[headSize:])}
	if date := string(data[len(magic):headSize]); date[0] != ' ' {
		s.date = date
	}
	const most = uint32(1 / unit)
	for i := range s.Len() {
		record := s.records[i*recordSize : (i+1)*recordSize]
		if i > 0 && s.records[(i-1)*recordSize:(i-1)*recordSize+keySize] >= record[:keySize] ||
			binary.BigEndian.Uint32([]byte(record[keySize:])) > most {
			return nil, errors.New("stored EPSS scores: the records are damaged")
		}
	}
	return s, nil
}
