// Package stix reads the names that MITRE ATT&CK gives to techniques, software,
// groups and campaigns from its STIX 2.1 bundle (enterprise-attack.json), object
// by object, so that a bundle of 45 MB needs little memory. It fetches nothing.
package stix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"reconshield/internal/intel/feed"
)

// MaxBytes is the longest bundle that is read. That of 2026 has 45 MB and
// 25,000 objects.
const MaxBytes = 192 << 20

const (
	maxObjects = 200_000
	maxObject  = 1 << 20
	maxName    = 200
	maxID      = 120
)

// Names are those of ATT&CK, by its own ids. What was revoked or deprecated is
// left out.
type Names struct {
	Version    string            `json:"version"` // of ATT&CK: "18.1"; empty when the bundle does not say
	Modified   string            `json:"modified"`
	Techniques map[string]string `json:"techniques"` // T1071.004
	Software   map[string]string `json:"software"`   // S0149
	Groups     map[string]string `json:"groups"`     // G0046
	Campaigns  map[string]string `json:"campaigns"`  // C0014
	// Uses lists for each software, group and campaign the techniques that it is
	// documented to use, in order.
	Uses map[string][]string `json:"uses"`
}

// Len is how many things have a name.
func (n *Names) Len() int {
	return len(n.Techniques) + len(n.Software) + len(n.Groups) + len(n.Campaigns)
}

// object is what is read of a STIX object.
type object struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Name       string `json:"name"`
	Revoked    bool   `json:"revoked"`
	Deprecated bool   `json:"x_mitre_deprecated"`
	Modified   string `json:"modified"`
	Version    string `json:"x_mitre_version"`
	References []struct {
		Source string `json:"source_name"`
		ID     string `json:"external_id"`
	} `json:"external_references"`
	Relation string `json:"relationship_type"`
	From     string `json:"source_ref"`
	To       string `json:"target_ref"`
}

// Parse reads a bundle. On an error nothing that was read can be relied on.
func Parse(r io.Reader) (Names, error) {
	b := bundle{
		names: Names{
			Techniques: map[string]string{}, Software: map[string]string{},
			Groups: map[string]string{}, Campaigns: map[string]string{}, Uses: map[string][]string{},
		},
		ids: map[string]string{}, form: regexp.MustCompile(`^(T\d{4}(\.\d{3})?|[SGC]\d{4})$`),
	}
	limits := feed.Limits{Bytes: MaxBytes, Members: maxObjects, Member: maxObject}
	if err := feed.Document(r, "objects", limits, b.header, b.member); err != nil {
		return Names{}, fmt.Errorf("ATT&CK bundle: %w", err)
	}
	if !b.bundle {
		return Names{}, errors.New("ATT&CK bundle: it is no STIX bundle")
	}
	if len(b.names.Techniques) == 0 {
		return Names{}, errors.New("ATT&CK bundle: it has no technique")
	}
	b.relate()
	return b.names, nil
}

// bundle is what was read of one so far.
type bundle struct {
	names  Names
	bundle bool
	ids    map[string]string // STIX id → ATT&CK id
	uses   [][2]string       // STIX ids
	form   *regexp.Regexp
}

func (b *bundle) header(key string, value json.RawMessage) error {
	if key == "type" {
		b.bundle = string(value) == `"bundle"`
	}
	return nil
}

func (b *bundle) member(_ string, value json.RawMessage) error {
	var o object
	if err := json.Unmarshal(value, &o); err != nil {
		return err
	}
	if o.Revoked || o.Deprecated || len(o.ID) > maxID || len(o.From) > maxID || len(o.To) > maxID {
		return nil
	}
	var into map[string]string
	switch o.Type {
	case "attack-pattern":
		into = b.names.Techniques
	case "malware", "tool":
		into = b.names.Software
	case "intrusion-set":
		into = b.names.Groups
	case "campaign":
		into = b.names.Campaigns
	case "x-mitre-collection":
		b.names.Version = feed.Line(o.Version, len("999.999.999"))
		b.names.Modified = feed.Date(o.Modified)
		return nil
	case "relationship":
		if o.Relation == "uses" {
			b.uses = append(b.uses, [2]string{o.From, o.To})
		}
		return nil
	default:
		return nil
	}
	id, name := b.attackID(&o), feed.Line(o.Name, maxName)
	if id == "" || name == "" {
		return nil // of another knowledge base than ATT&CK
	}
	into[id] = name
	b.ids[o.ID] = id
	return nil
}

// attackID is the id in ATT&CK's own numbering; that of mobile and industrial
// matrices is the same.
func (b *bundle) attackID(o *object) string {
	letter := map[string]string{"attack-pattern": "T", "malware": "S", "tool": "S", "intrusion-set": "G", "campaign": "C"}[o.Type]
	for _, ref := range o.References {
		if strings.HasPrefix(ref.Source, "mitre-") && strings.HasPrefix(ref.ID, letter) && b.form.MatchString(ref.ID) {
			return ref.ID
		}
	}
	return ""
}

// relate resolves who uses what, once every object is known.
func (b *bundle) relate() {
	for _, pair := range b.uses {
		who, what := b.ids[pair[0]], b.ids[pair[1]]
		if who != "" && strings.HasPrefix(what, "T") {
			b.names.Uses[who] = append(b.names.Uses[who], what)
		}
	}
	for who, techniques := range b.names.Uses {
		slices.Sort(techniques)
		b.names.Uses[who] = slices.Compact(techniques)
	}
}
