package rawsock

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The offsets and numbers that the filter looks at: RFC 791, RFC 8200, RFC
// 9293, RFC 768, RFC 792, RFC 4443, RFC 4861 and RFC 826.
const (
	ourPorts = 0x8000 // probes leave from ports that have this bit

	tcpFlags = 13
	flagACK  = 0x10
	flagRST  = 0x04
	flagSYN  = 0x02
)

// program builds a filter with labels instead of distances.
type program struct {
	code  []bpf.Instruction
	jumps []jump
	marks map[string]int
}

type jump struct {
	at        int
	yes, no   string
	condition bpf.JumpTest
	value     uint32
}

func (p *program) add(i ...bpf.Instruction) { p.code = append(p.code, i...) }

func (p *program) mark(name string) { p.marks[name] = len(p.code) }

// when goes on at yes or at no; an empty name is the next instruction.
func (p *program) when(condition bpf.JumpTest, value uint32, yes, no string) {
	p.jumps = append(p.jumps, jump{len(p.code), yes, no, condition, value})
	p.code = append(p.code, nil)
}

func (p *program) done() []bpf.Instruction {
	for _, j := range p.jumps {
		skip := func(name string) uint8 {
			if name == "" {
				return 0
			}
			return uint8(p.marks[name] - j.at - 1) //nolint:gosec // the program is short
		}
		p.code[j.at] = bpf.JumpIf{Cond: j.condition, Val: j.value, SkipTrue: skip(j.yes), SkipFalse: skip(j.no)}
	}
	return p.code
}

// filter lets through what may answer a probe: SYN-ACKs, resets and datagrams
// to our port range, ICMP errors and echo replies, ARP replies and neighbour
// advertisements. IPv6 packets with extension headers pass when they could be
// one of these; the decoder looks at them. The kernel has removed VLAN tags.
func filter(ether bool) []bpf.Instruction {
	p := &program{marks: map[string]int{}}
	ip := uint32(0)
	if ether {
		ip = 14
	}
	p.add(bpf.LoadExtension{Num: bpf.ExtProto})
	p.when(bpf.JumpEqual, unix.ETH_P_IP, "ip4", "")
	p.when(bpf.JumpEqual, unix.ETH_P_IPV6, "ip6", "")
	if ether {
		p.when(bpf.JumpEqual, unix.ETH_P_ARP, "", "drop")
		p.add(bpf.LoadAbsolute{Off: ip + 6, Size: 2})
		p.when(bpf.JumpEqual, 2, "take", "drop")
	} else {
		p.when(bpf.JumpEqual, 0, "drop", "drop")
	}
	p.mark("ip4")
	p.add(bpf.LoadAbsolute{Off: ip + 6, Size: 2})
	p.when(bpf.JumpBitsSet, 0x1fff, "drop", "") // a later fragment
	p.add(bpf.LoadMemShift{Off: ip}, bpf.LoadAbsolute{Off: ip + 9, Size: 1})
	p.transport(ip, unix.IPPROTO_ICMP, func() {
		p.add(bpf.LoadIndirect{Off: ip, Size: 1})
		for _, kind := range []uint32{0, 3} { // echo reply, unreachable
			p.when(bpf.JumpEqual, kind, "take", "")
		}
		p.when(bpf.JumpEqual, 11, "take", "drop") // time exceeded
	}, "4")

	p.mark("ip6")
	p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40}, bpf.LoadAbsolute{Off: ip + 6, Size: 1})
	for _, extension := range []uint32{unix.IPPROTO_HOPOPTS, unix.IPPROTO_ROUTING, unix.IPPROTO_FRAGMENT, unix.IPPROTO_DSTOPTS} {
		p.when(bpf.JumpEqual, extension, "take", "")
	}
	p.transport(ip, unix.IPPROTO_ICMPV6, func() {
		p.add(bpf.LoadIndirect{Off: ip, Size: 1})
		p.when(bpf.JumpLessOrEqual, 4, "take", "") // the errors
		p.when(bpf.JumpEqual, 129, "take", "")     // echo reply
		p.when(bpf.JumpEqual, 136, "take", "drop") // neighbour advertisement
	}, "6")

	p.mark("take")
	p.add(bpf.RetConstant{Val: captured})
	p.mark("drop")
	p.add(bpf.RetConstant{Val: 0})
	return p.done()
}

// transport sorts by the protocol in the accumulator, the transport header
// being at ip plus the index register.
func (p *program) transport(ip, icmp uint32, messages func(), suffix string) {
	p.when(bpf.JumpEqual, unix.IPPROTO_TCP, "tcp"+suffix, "")
	p.when(bpf.JumpEqual, unix.IPPROTO_UDP, "udp"+suffix, "")
	p.when(bpf.JumpEqual, icmp, "", "drop")
	messages()

	p.mark("tcp" + suffix)
	p.add(bpf.LoadIndirect{Off: ip + 2, Size: 2})
	p.when(bpf.JumpBitsSet, ourPorts, "", "drop")
	p.add(bpf.LoadIndirect{Off: ip + tcpFlags, Size: 1})
	p.when(bpf.JumpBitsSet, flagRST, "take", "")
	p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN | flagACK})
	p.when(bpf.JumpEqual, flagSYN|flagACK, "take", "drop")

	p.mark("udp" + suffix)
	p.add(bpf.LoadIndirect{Off: ip + 2, Size: 2})
	p.when(bpf.JumpBitsSet, ourPorts, "take", "drop")
}
