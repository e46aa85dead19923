package scan

import (
	"encoding/binary"

	"reconshield/internal/probe"
	"reconshield/internal/scan/permute"
)

// space numbers every target twice: its index counts address by address, its
// position counts in the order in which targets are asked. It holds no table
// of them and is immutable.
type space struct {
	addrs Addresses
	ends  []endpoint
	where [3][]int32 // endpoint by kind and port: its index, or -1
	order permute.Shard
}

func newSpace(s *Survey) *space {
	sp := &space{addrs: s.Addresses, ends: endpoints(s.Ports, s.Echo)}
	all := permute.New(sp.addrs.Len()*uint64(len(sp.ends)), orderKey(s.Seed))
	sp.order = all.Shard(0, 1)
	if s.Shard.Of > 1 {
		sp.order = all.Shard(uint64(s.Shard.Index-1), uint64(s.Shard.Of)) //nolint:gosec // from 1 to Of
	}
	const ports = 1 << 16
	for i, e := range sp.ends {
		if sp.where[e.kind] == nil {
			n := ports
			if e.kind == probe.Echo {
				n = 1
			}
			sp.where[e.kind] = make([]int32, n)
			for j := range sp.where[e.kind] {
				sp.where[e.kind][j] = -1
			}
		}
		sp.where[e.kind][e.port] = int32(i) //nolint:gosec // at most 131,073
	}
	return sp
}

// orderKey makes the key of the order out of a seed.
func orderKey(seed uint64) (key [16]byte) {
	binary.BigEndian.PutUint64(key[:], seed)
	return key
}

// size is the number of positions.
func (sp *space) size() uint64 { return sp.order.Len() }

// at fills in the target at a position and gives the index of its address.
func (sp *space) at(pos uint64, p *probe.Probe) (host uint64) {
	index := sp.order.At(pos)
	n := uint64(len(sp.ends))
	if n == 1 {
		host = index
		p.Kind, p.Port = sp.ends[0].kind, sp.ends[0].port
	} else {
		host = index / n
		e := sp.ends[index-host*n]
		p.Kind, p.Port = e.kind, e.port
	}
	p.Addr = sp.addrs.At(host)
	return host
}

// find gives the position of a target; ok is false for one that is not asked.
func (sp *space) find(p *probe.Probe) (pos, host uint64, ok bool) {
	where := sp.where[p.Kind]
	if int(p.Port) >= len(where) || where[p.Port] < 0 {
		return 0, 0, false
	}
	host, ok = sp.addrs.Index(p.Addr)
	if !ok {
		return 0, 0, false
	}
	pos, ok = sp.position(host, int(where[p.Port]))
	return pos, host, ok
}

// position gives the place of an endpoint of a host; ok is false when it
// belongs to another shard.
func (sp *space) position(host uint64, end int) (pos uint64, ok bool) {
	return sp.order.Index(host*uint64(len(sp.ends)) + uint64(end)) //nolint:gosec // an index
}
