package dialect

import (
	"bytes"
	"fmt"

	"reconshield/internal/firewall"
)

// twice makes chains that two files declare a part that is not understood: which
// of them is loaded last, or whether one adds to the other, no file tells. What
// iptables-nft and iptables-legacy have beside each other are two chains.
func (l *loader) twice(s Source, f format, r *firewall.Ruleset) {
	kind := ""
	switch f {
	case nftJSON, nftText:
		kind = "nft"
	case iptablesSave:
		kind = "legacy"
		if bytes.Contains(s.Text[:min(len(s.Text), sniffed)], []byte("(nf_tables)")) {
			kind = "nft variant"
		}
	case ipsetSave, awsJSON, azureJSON, gcpJSON, terraformOut, asaConfig, iosConfig, junosConfig, fortiConfig, hostFacts:
		return
	}
	if l.seen == nil {
		l.seen = map[chainKey]string{}
	}
	for _, c := range r.Chains {
		key := chainKey{kind, c.Family, c.Table, c.Name}
		first, again := l.seen[key]
		if !again {
			l.seen[key] = s.Name
			continue
		}
		r.Unparsed = append(r.Unparsed, firewall.Unparsed{
			Pos: c.Pos, Text: fmt.Sprintf("chain %.80s of table %.80s", c.Name, c.Table),
			Why: fmt.Sprintf("%s has a chain of this name, too: give the whole ruleset in one file, as nft list ruleset or iptables-save print it", first),
		})
		return // once is enough
	}
}

// chainKey names a chain in the kernel.
type chainKey struct {
	kind        string
	family      firewall.Family
	table, name string
}
