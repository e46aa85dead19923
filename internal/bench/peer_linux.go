package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Nudge makes the peer say something that concerns nobody four times a second.
// masscan notices that its time is over only when a packet comes; without this
// it would wait ten seconds more on a silent link.
func (s *Stage) Nudge() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelNudge = cancel
	return s.do(func() error {
		link, err := net.InterfaceByName(peerDevice)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("nudge: %w", err)
		}
		frame := make([]byte, 0, 60)
		frame = append(frame, s.scannerMAC...)
		frame = append(frame, s.peerMAC...)
		frame = binary.BigEndian.AppendUint16(frame, 0x88b5) // IEEE 802 local experimental
		frame = frame[:60]
		to := &unix.SockaddrLinklayer{Ifindex: link.Index}
		go func() {
			defer func() { _ = unix.Close(fd) }()
			ticker := time.NewTicker(250 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					_ = unix.Sendto(fd, frame, 0, to)
				}
			}
		}()
		return nil
	})
}

// Listen opens TCP ports on all addresses of the peer, of the family of addr,
// until the stage closes. Nobody accepts: the kernel completes handshakes by
// itself.
func (s *Stage) Listen(addr netip.Addr, ports ...uint16) error {
	family, at := unix.AF_INET, func(port uint16) unix.Sockaddr { return &unix.SockaddrInet4{Port: int(port)} }
	if addr.Is6() {
		family, at = unix.AF_INET6, func(port uint16) unix.Sockaddr { return &unix.SockaddrInet6{Port: int(port)} }
	}
	return s.do(func() error {
		for _, port := range ports {
			fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			s.onClose = append(s.onClose, func() { _ = unix.Close(fd) })
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			if err := unix.Bind(fd, at(port)); err != nil {
				return fmt.Errorf("listen on port %d: %w", port, err)
			}
			if err := unix.Listen(fd, 65535); err != nil {
				return fmt.Errorf("listen on port %d: %w", port, err)
			}
		}
		return nil
	})
}

// Answer serves a UDP port on all addresses of the peer until the stage
// closes: reply makes the answer to a datagram, nil for none. An answer comes
// from the address that was asked.
func (s *Stage) Answer(port uint16, reply func(request []byte) []byte) error {
	return s.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
			// Many hosts are one socket here; its buffer must not be the bottleneck.
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20),
			unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)}))
		if err != nil {
			return errors.Join(fmt.Errorf("answer on port %d: %w", port, err), unix.Close(fd))
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			serve(fd, reply)
		}()
		s.onClose = append(s.onClose, func() {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR) // wakes the reader
			<-done
			_ = unix.Close(fd)
		})
		return nil
	})
}

// serve ends when the socket is shut down.
func serve(fd int, reply func([]byte) []byte) {
	buf, control := make([]byte, 2048), make([]byte, 128)
	for {
		n, controlLen, _, from, err := unix.Recvmsg(fd, buf, control, 0)
		if err != nil || from == nil {
			return
		}
		answer := reply(buf[:n])
		if answer == nil {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(control[:controlLen])
		if err != nil || len(messages) == 0 || len(messages[0].Data) < unix.SizeofInet4Pktinfo {
			continue
		}
		// in_pktinfo: interface index, the local address to answer from, the
		// address in the packet's header.
		info := &unix.Inet4Pktinfo{Spec_dst: [4]byte(messages[0].Data[4:8])}
		_, _ = unix.SendmsgN(fd, answer, unix.PktInfo4(info), from, 0)
	}
}

// answerDNS refuses every question.
func answerDNS(request []byte) []byte {
	if len(request) < 17 || request[2]&0x80 != 0 {
		return nil
	}
	end := 12
	for end < len(request) && request[end] != 0 {
		end += int(request[end]) + 1
	}
	end += 5 // the root label, type, class
	if end > len(request) || request[5] == 0 {
		return nil
	}
	answer := append([]byte(nil), request[:end]...)
	answer[2], answer[3] = answer[2]|0x80, 5 // RFC 1035 4.1.1: QR, REFUSED
	clear(answer[6:12])
	return answer
}

// answerNTP answers a client as a server that has never been set, RFC 5905 7.3.
func answerNTP(request []byte) []byte {
	if len(request) < 48 || request[0]&7 != 3 {
		return nil
	}
	answer := make([]byte, 48)
	answer[0] = 3<<6 | request[0]&0x38 | 4
	copy(answer[24:32], request[40:48]) // origin timestamp
	return answer
}
