//go:build linux

package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The lab's certificate authority. [Main] makes it and points SSL_CERT_FILE at
// it, so that the process under test trusts it and nothing else.
const (
	authorityFile    = labRoot + "/ca.pem"
	authorityKeyFile = labRoot + "/ca.key"
)

func newAuthority() error {
	now := time.Now()
	return writeCertificate(&x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "lab authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, authorityFile, authorityKeyFile, true)
}

// certificate writes dir/cert.pem and dir/key.pem for a host and returns their
// paths. A trusted one is signed by the lab's authority and names the host and
// its addresses; the other is self-signed, for another name, and expired.
func certificate(dir string, h *Host, trusted bool) (cert, key string, err error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "wrong.invalid"},
		DNSNames:              []string{"wrong.invalid"},
		NotBefore:             now.Add(-48 * time.Hour),
		NotAfter:              now.Add(-24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if trusted {
		template.Subject.CommonName = h.DNSName()
		template.DNSNames = []string{h.DNSName()}
		template.IPAddresses = []net.IP{h.V4.AsSlice(), h.V6.AsSlice()}
		template.NotAfter = now.Add(24 * time.Hour)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return cert, key, writeCertificate(template, cert, key, !trusted)
}

// writeCertificate makes a key and signs the certificate with it, or with the
// authority's.
func writeCertificate(template *x509.Certificate, certFile, keyFile string, selfSigned bool) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	parent, signer := template, key
	if !selfSigned {
		if parent, signer, err = loadAuthority(); err != nil {
			return err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return err
	}
	return writePEM(keyFile, "PRIVATE KEY", keyDER)
}

func loadAuthority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certDER, err := readPEM(authorityFile)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := readPEM(authorityKeyFile)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("authority key is %T, want ECDSA", key)
	}
	return cert, signer, nil
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644) //nolint:gosec // a throw-away key
}

func readPEM(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", file)
	}
	return block.Bytes, nil
}
