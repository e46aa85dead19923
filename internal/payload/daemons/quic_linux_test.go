package daemons

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"

	"github.com/quic-go/quic-go"

	"reconshield/internal/payload"
)

// TestQUIC asks a real implementation for version negotiation.
func TestQUIC(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: private}},
		NextProtos:   []string{"test"}, MinVersion: tls.VersionTLS13,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.UDPAddr)
	if !ok {
		t.Fatalf("the listener's address is a %T", listener.Addr())
	}
	never := make(chan struct{})
	ask(t, payload.New().For(443), uint16(address.Port), never, func() string { return "" })
}
