package recommend_test

import (
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
)

// readBack has the real tools list what they made of a configuration, reads
// that with the readers of the audit, and proves it equal to the plan: for
// every port, source and interface, not only for those that probes try.
func readBack(t *testing.T, r *rig, format string, p firewall.Plan) {
	t.Helper()
	programs := [][]string{{"nft", "-j", "list", "ruleset"}}
	if format == "iptables" || format == "ufw" {
		programs = [][]string{{"iptables-save"}, {"ip6tables-save"}}
	}
	var sources []dialect.Source
	for _, program := range programs {
		sources = append(sources, dialect.Source{
			Name: strings.Join(program, " "), Text: []byte(r.run(t, "host", "", program[0], program[1:]...)),
		})
	}
	rules, err := dialect.Load(sources, dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range analyze.Prove(p, rules) {
		t.Errorf("what is loaded does not mean the plan: %s", line)
	}
}
