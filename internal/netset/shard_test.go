package netset

import (
	"strings"
	"testing"
)

func TestParseShard(t *testing.T) {
	const form = "write which part of how many, such as 3/16"
	tests := []struct {
		in   string
		want Shard
		err  string
	}{
		{"3/16", Shard{3, 16}, ""},
		{"1/1", Shard{1, 1}, ""},
		{"16/16", Shard{16, 16}, ""},
		{" 3 / 16 ", Shard{3, 16}, ""},
		{"1048576/1048576", Shard{MaxShards, MaxShards}, ""},
		{"", Shard{}, `shard "": ` + form},
		{"3", Shard{}, `shard "3": ` + form},
		{"3/", Shard{}, `shard "3/": ` + form},
		{"/16", Shard{}, `shard "/16": ` + form},
		{"-1/16", Shard{}, `shard "-1/16": ` + form},
		{"3/16/2", Shard{}, `shard "3/16/2": ` + form},
		{"3:16", Shard{}, `shard "3:16": ` + form},
		{"1.5/3", Shard{}, `shard "1.5/3": ` + form},
		{"0/16", Shard{}, `shard "0/16": parts are counted from 1`},
		{"1/0", Shard{}, `shard "1/0": there must be at least one part`},
		{"17/16", Shard{}, `shard "17/16": there is no part 17 of 16`},
		{"1/1048577", Shard{}, `shard "1/1048577": at most 1048576 parts`},
		{"1/99999999999999999999", Shard{}, `shard "1/99999999999999999999": at most 1048576 parts`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseShard(tt.in)
			if err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("shard = %v, error = %v, want %s", got, err, tt.err)
				}
				return
			}
			if got != tt.want || got.String() != strings.ReplaceAll(tt.in, " ", "") || got.Whole() != (got.Of == 1) {
				t.Errorf("shard = %v", got)
			}
		})
	}
	if zero := (Shard{}); !zero.Whole() || zero.String() != "1/1" {
		t.Errorf("the zero shard is %s", zero)
	}
}

func FuzzParseShard(f *testing.F) {
	for _, seed := range []string{"3/16", "0/0", "1/", "٣/١٦", "1/1048577"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShard(text)
		if err != nil {
			return
		}
		if again, err := ParseShard(s.String()); err != nil || again != s || s.Index < 1 || s.Index > s.Of || s.Of > MaxShards {
			t.Errorf("%q reads as %v, then as %v, %v", text, s, again, err)
		}
	})
}
