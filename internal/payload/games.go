package payload

import "encoding/binary"

// games are what servers of games tell to server lists.
func games() []Payload { return []Payload{quake(), source(), raknet()} }

// outOfBand begins messages outside a game's connections.
const outOfBand = "\xff\xff\xff\xff"

func quake() Payload {
	const info, challenge = outOfBand + "infoResponse\n", `\challenge\`
	return Payload{
		Protocol: "quake3", Title: "Quake 3 and its kin",
		Ports: []uint16{27960, 27961, 27962}, Answer: 230, Echoed: 64,
		Reference: "ioquake3 source, SVC_Info",
		Asks:      "getinfo",
		Safe:      "what a server browser asks; getstatus, whose answer lists the players, is not sent",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendHex(append(dst, outOfBand+"getinfo "...), cookie)
			return appendHex(dst, cookie) // once more, so that the answer is not many times larger
		},
		tell: func(b []byte, cookie uint64) bool {
			if !hasAt(b, 0, info) {
				return false
			}
			return containsHex(b, cookie) || len(b) >= Captured && !contains(b, challenge)
		},
	}
}

func source() Payload {
	return Payload{
		Protocol: "a2s", Title: "Source engine server queries",
		Ports: []uint16{27015, 27016, 27017}, Answer: 90,
		Reference: "Valve developer documentation, Server queries, A2S_INFO",
		Asks:      "A2S_INFO",
		Safe:      "what a server browser asks; the answer is a challenge of 9 bytes, of older servers their name and map",
		write: func(dst []byte, _ uint64) []byte {
			return append(dst, outOfBand+"TSource Engine Query\x00"...)
		},
		tell: func(b []byte, _ uint64) bool {
			if !hasAt(b, 0, outOfBand) || len(b) < 9 {
				return false
			}
			return b[4] == 'A' && len(b) == 9 || b[4] == 'I' || b[4] == 'm'
		},
	}
}

func raknet() Payload {
	const (
		magic      = "\x00\xff\xff\x00\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78"
		ping, pong = 0x01, 0x1c
	)
	return Payload{
		Protocol: "raknet", Title: "RakNet (Minecraft Bedrock)",
		Ports: []uint16{19132, 19133}, Answer: 130, Echoed: 64,
		Reference: "RakNet source, ID_UNCONNECTED_PING",
		Asks:      "with an unconnected ping",
		Safe:      "what a client's server list sends",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint64(append(dst, ping), cookie) // time
			return binary.BigEndian.AppendUint64(append(dst, magic...), ^cookie)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 33 && b[0] == pong && has64(b, 1, cookie) && hasAt(b, 17, magic)
		},
	}
}
