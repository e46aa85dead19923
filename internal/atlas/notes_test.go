package atlas

import (
	"testing"

	"reconshield/internal/intel"
)

// TestNotedTechniquesAreNamed: an id that the table of names lacks is a slip of
// the pen, or the table's.
func TestNotedTechniquesAreNamed(t *testing.T) {
	a, threats := Default(), intel.DefaultThreats()
	for _, port := range a.Handwritten() {
		for _, n := range a.note(port).Techniques {
			if threats.TechniqueName(n.ID) == "" {
				t.Errorf("port %d: %s has no name", port, n.ID)
			}
		}
	}
}

// TestNotesSuffice: the ports that are exposed most are written about by hand.
func TestNotesSuffice(t *testing.T) {
	a := Default()
	if n := len(a.Handwritten()); n < 120 {
		t.Errorf("%d notes; 120 are promised", n)
	}
	for _, port := range []uint16{
		53, 853, 5353, 22, 23, 25, 80, 443, 3389, 445, 1433, 3306, 5432, 6379, 9200, 27017, 11211, 123, 161, 389,
		1900, 5060, 502, 102, 47808,
	} {
		if a.note(port) == nil {
			t.Errorf("nobody wrote about port %d", port)
		}
	}
	// Port 53 is the model: the longest.
	words := func(port uint16) (n int) {
		for _, text := range a.note(port).Sections.All() {
			n += len(text)
		}
		return n
	}
	for _, port := range a.Handwritten() {
		if port != 53 && words(port) >= words(53) {
			t.Errorf("port %d has more text than port 53", port)
		}
	}
}

// TestDNSPortsHaveVulnerabilities: products are named as the table names them.
func TestDNSPortsHaveVulnerabilities(t *testing.T) {
	table := intel.DefaultTable()
	for _, port := range []uint16{53, 853, 953, 5380} {
		for _, p := range products(port) {
			if len(table.ForProduct(p)) == 0 {
				t.Errorf("port %d: the table knows nothing of %q", port, p)
			}
		}
	}
}
