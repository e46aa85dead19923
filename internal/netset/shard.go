package netset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxShards is the largest number of parts a scan can be divided into.
const MaxShards = 1 << 20

// Shard is one part of a scan that several runs share: the Index-th of Of,
// counted from 1. The zero value stands for a scan that is not divided.
type Shard struct {
	Index, Of int
}

// ParseShard reads "3/16": the third of sixteen parts.
func ParseShard(text string) (Shard, error) {
	first, second, ok := strings.Cut(text, "/")
	if !ok {
		return Shard{}, fmt.Errorf("shard %s: write which part of how many, such as 3/16", quote(text))
	}
	index, err := parseCount(first)
	if err != nil {
		return Shard{}, fmt.Errorf("shard %s: %w", quote(text), err)
	}
	of, err := parseCount(second)
	if err != nil {
		return Shard{}, fmt.Errorf("shard %s: %w", quote(text), err)
	}
	switch {
	case of == 0:
		return Shard{}, fmt.Errorf("shard %s: there must be at least one part", quote(text))
	case index == 0:
		return Shard{}, fmt.Errorf("shard %s: parts are counted from 1", quote(text))
	case of > MaxShards:
		return Shard{}, fmt.Errorf("shard %s: at most %d parts", quote(text), MaxShards)
	case index > of:
		return Shard{}, fmt.Errorf("shard %s: there is no part %d of %d", quote(text), index, of)
	}
	return Shard{Index: index, Of: of}, nil
}

func parseCount(text string) (int, error) {
	text = strings.TrimSpace(text)
	if !isDigits(text) {
		return 0, errors.New("write which part of how many, such as 3/16")
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("at most %d parts", MaxShards)
	}
	return int(n), nil
}

// Whole reports whether the shard is all of the scan.
func (s Shard) Whole() bool { return s.Of <= 1 }

// String is what ParseShard reads, "1/1" for the zero value.
func (s Shard) String() string {
	if s.Of == 0 {
		return "1/1"
	}
	return strconv.Itoa(s.Index) + "/" + strconv.Itoa(s.Of)
}
