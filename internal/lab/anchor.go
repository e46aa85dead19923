//go:build linux

package lab

import (
	"fmt"

	"reconshield/internal/dnswire"
)

// parseAnchor reads a DNSKEY or DS record; every server takes the latter. An
// empty text is no anchor.
func parseAnchor(text string) (*dnswire.DS, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no anchor is a choice, not an error
	}
	rr, err := dnswire.ParseRR(text)
	if err != nil {
		return nil, fmt.Errorf("trust anchor: %w", err)
	}
	switch rr := rr.(type) {
	case *dnswire.DS:
		return rr, nil
	case *dnswire.DNSKEY:
		return dnswire.NewDS(rr), nil
	}
	return nil, fmt.Errorf("trust anchor %q is neither DNSKEY nor DS", text)
}

// bindAnchor is BIND's statement for the anchor, or nothing.
func bindAnchor(ds *dnswire.DS) string {
	if ds == nil {
		return ""
	}
	return fmt.Sprintf("trust-anchors { %s static-ds %d %d %d %q; };\n",
		ds.Hdr.Name, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
}
