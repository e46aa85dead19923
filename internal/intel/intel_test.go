package intel

import (
	"testing"

	"reconshield/internal/exposure"
)

func TestNoneSaysNothing(t *testing.T) {
	var a Advisor = None{}
	if a.Edition() != "" || a.Advisories(exposure.Service{Product: exposure.BIND, Version: "9.8.0"}) != nil {
		t.Error("an empty table must neither name an edition nor match")
	}
}
