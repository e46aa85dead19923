package payload

import "encoding/binary"

// files are the protocols of files, caches and remote procedures.
func files() []Payload {
	return []Payload{
		tftp(), memcached(), afs(), icp(),
		rpc(111, 100000, 2, "rpcbind", "ONC RPC port mapper"),
		rpc(2049, 100003, 3, "nfs", "Network File System"),
		rpc(20048, 100005, 3, "mountd", "NFS mount daemon"),
		rpc(4045, 100021, 4, "nlockmgr", "NFS lock manager"),
		rpc(17185, 0x55555555, 1, "wdb", "VxWorks debug agent"),
	}
}

// rpc is a call of a program's procedure 0.
func rpc(port uint16, program, version uint32, protocol, title string) Payload {
	const call, reply = 0, 1
	return Payload{
		Protocol: protocol, Title: title,
		Ports: []uint16{port}, Answer: 24, Echoed: 32,
		Reference: "RFC 5531 section 9",
		Asks:      "to do nothing (procedure 0)",
		Safe:      "NULL takes nothing, does nothing, returns nothing, and needs no authentication",
		write: func(dst []byte, cookie uint64) []byte {
			for _, word := range [...]uint32{uint32(cookie), call, 2, program, version, 0, 0, 0, 0, 0} {
				dst = binary.BigEndian.AppendUint32(dst, word)
			}
			return dst
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 12 && has32(b, 0, uint32(cookie)) && has32(b, 4, reply)
		},
	}
}

func tftp() Payload {
	const failure, codes = 5, 8
	return Payload{
		Protocol: "tftp", Title: "Trivial File Transfer Protocol",
		Ports: []uint16{69}, Answer: 19, Slow: true, Elsewhere: true,
		Reference: "RFC 1350 sections 4 and 5",
		Asks:      "to read a file whose name nobody has",
		Safe:      "reads, and there is nothing to read; the server may note the name in its log",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendHex(append(dst, "\x00\x01probe-"...), cookie)
			return append(dst, "\x00octet\x00"...)
		},
		tell: func(b []byte, _ uint64) bool {
			return len(b) >= 5 && has16(b, 0, failure) && b[2] == 0 && b[3] <= codes
		},
	}
}

func memcached() Payload {
	return Payload{
		Protocol: "memcached", Title: "memcached",
		Ports: []uint16{11211}, Answer: 24, Echoed: 16,
		Reference: "memcached protocol description, UDP protocol",
		Asks:      "version",
		Safe:      "reads no item; stats, whose answer is what attackers amplify with, is not sent",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint16(dst, uint16(cookie))
			return append(dst, "\x00\x00\x00\x01\x00\x00version\r\n"...) // datagram 0 of 1
		},
		tell: func(b []byte, cookie uint64) bool {
			return has16(b, 0, uint16(cookie)) && (hasAt(b, 8, "VERSION ") || hasAt(b, 8, "ERROR") || hasAt(b, 8, "SERVER_ERROR"))
		},
	}
}

func afs() Payload {
	const version, fromClient, last = 13, 1, 4
	call := func(cookie uint64) uint32 { return uint32(cookie>>32) | 1 }
	return Payload{
		Protocol: "afs", Title: "Andrew File System (Rx)",
		Ports: []uint16{7000, 7001, 7002, 7003, 7005, 7007}, Answer: 93, Echoed: 63,
		Reference: "OpenAFS source, Rx version packets",
		Asks:      "for the version of the Rx library",
		Safe:      "opens no connection and calls no procedure",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendZeros(binary.BigEndian.AppendUint32(dst, uint32(cookie)), 4) // epoch, connection
			dst = appendZeros(binary.BigEndian.AppendUint32(dst, call(cookie)), 8)   // sequence, serial
			return append(dst, version, fromClient|last, 0, 0, 0, 0, 0, 0)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) > 28 && has32(b, 0, uint32(cookie)) && has32(b, 8, call(cookie)) &&
				b[20] == version && b[21]&fromClient == 0
		},
	}
}

func icp() Payload {
	const (
		query, last = 1, 23
		head        = "\x01\x02\x00\x2d" // query, version 2, 45 bytes
		tail        = "http://probe.invalid\x00"
	)
	return Payload{
		Protocol: "icp", Title: "Internet Cache Protocol",
		Ports: []uint16{3130}, Answer: 41, Echoed: 32,
		Reference: "RFC 2186",
		Asks:      "whether an address that nobody has is cached",
		Safe:      "looks into the cache only; nothing is fetched",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint32(append(dst, head...), uint32(cookie))
			return append(appendZeros(dst, 16), tail...) // options, sender and requester
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 20 && b[0] > query && b[0] <= last && b[1] == 2 && has32(b, 4, uint32(cookie))
		},
	}
}
