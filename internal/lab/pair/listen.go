//go:build linux

package pair

import (
	"net"
	"strconv"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// ListenTCP makes the ports open on every address of the peer, IPv4 and IPv6.
// Connections are closed as they come. After Open it opens no more ports than
// Open named.
func (p *Pair) ListenTCP(ports ...uint16) {
	p.tb.Helper()
	p.must(p.Peer.Do(func() error {
		for _, port := range ports {
			var config net.ListenConfig
			listener, err := config.Listen(p.context(), "tcp", net.JoinHostPort("::", strconv.Itoa(int(port))))
			if err != nil {
				return err
			}
			p.tcp[port] = true
			p.tb.Cleanup(func() { _ = listener.Close() })
			p.serving.Go(func() { accept(listener) })
		}
		return nil
	}))
}

func accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed, as the test ends
		}
		// Not by a reset: one that overtakes the client's look at its socket
		// makes an open port seem to refuse.
		_ = conn.Close()
	}
}

// ListenUDP answers datagrams to a port on every address of the peer, from the
// address that was asked. A nil answer function, or a nil answer, is silence;
// the state of the port is then open|filtered.
func (p *Pair) ListenUDP(port uint16, answer func(question []byte) []byte) {
	p.tb.Helper()
	p.must(p.Peer.Do(func() error {
		var config net.ListenConfig
		address := strconv.Itoa(int(port))
		c4, err := config.ListenPacket(p.context(), "udp4", net.JoinHostPort("0.0.0.0", address))
		if err != nil {
			return err
		}
		p.tb.Cleanup(func() { _ = c4.Close() })
		c6, err := config.ListenPacket(p.context(), "udp6", net.JoinHostPort("::", address))
		if err != nil {
			return err
		}
		p.tb.Cleanup(func() { _ = c6.Close() })
		p4, p6 := ipv4.NewPacketConn(c4), ipv6.NewPacketConn(c6)
		if err := p4.SetControlMessage(ipv4.FlagDst, true); err != nil {
			return err
		}
		if err := p6.SetControlMessage(ipv6.FlagDst, true); err != nil {
			return err
		}
		p.udp[port], p.mute[port] = true, answer == nil
		p.serving.Go(func() { serve4(p4, answer) })
		p.serving.Go(func() { serve6(p6, answer) })
		return nil
	}))
}

func serve4(conn *ipv4.PacketConn, answer func([]byte) []byte) {
	buffer := make([]byte, 65536)
	for {
		n, control, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := ask(answer, buffer[:n]); reply != nil {
			_, _ = conn.WriteTo(reply, &ipv4.ControlMessage{Src: control.Dst}, from)
		}
	}
}

func serve6(conn *ipv6.PacketConn, answer func([]byte) []byte) {
	buffer := make([]byte, 65536)
	for {
		n, control, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := ask(answer, buffer[:n]); reply != nil {
			_, _ = conn.WriteTo(reply, &ipv6.ControlMessage{Src: control.Dst}, from)
		}
	}
}

func ask(answer func([]byte) []byte, question []byte) []byte {
	if answer == nil {
		return nil
	}
	return answer(question)
}
