package portpage

import (
	"io"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
	"reconshield/internal/report"
)

// Document is an entry in its public form: see docs/schema/port.schema.json.
type Document struct {
	Port          uint16                `json:"port"`
	Transport     string                `json:"transport,omitempty"` // only when one was asked for
	Class         atlas.Class           `json:"class"`
	Title         string                `json:"title"`
	Name          string                `json:"name"`
	Kind          atlas.Kind            `json:"kind,omitempty"`
	Reach         atlas.Reach           `json:"reach,omitempty"`
	Registrations []Registration        `json:"registrations"`
	Sections      atlas.Sections        `json:"sections"`
	Traits        *atlas.Traits         `json:"traits,omitempty"`
	Uses          []atlas.Use           `json:"uses"`
	Seen          []atlas.Figure        `json:"seen"`
	Amplification *atlas.Amplification  `json:"amplification,omitempty"`
	Malware       []intel.Malware       `json:"malware"`
	Techniques    []Technique           `json:"techniques"`
	CVEs          []intel.Vulnerability `json:"cves"`
	Commands      []atlas.Command       `json:"commands"`
	Rules         []atlas.Rule          `json:"rules"`
	FAQ           []atlas.Question      `json:"faq"`
	Adjacent      []atlas.Neighbour     `json:"adjacent"`
	Related       []atlas.Related       `json:"related"`
	Sources       []atlas.Source        `json:"sources"`
	Handwritten   bool                  `json:"handwritten"`
}

// Registration is a row of the registry.
type Registration struct {
	Transport    string `json:"transport"`
	Name         string `json:"name"`
	Description  string `json:"description"`
	Reference    string `json:"reference"`
	First        uint16 `json:"first"`
	Last         uint16 `json:"last"`
	Registered   string `json:"registered,omitempty"`
	Modified     string `json:"modified,omitempty"`
	Unauthorized string `json:"unauthorized_use,omitempty"`
	Notes        string `json:"notes,omitempty"`
}

// Technique is one of ATT&CK's with its address.
type Technique struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Why  string `json:"why"`
	URL  string `json:"url"`
}

// Of gives an entry's public form. Lists are never nil.
func Of(e *atlas.Entry) Document {
	d := Document{
		Port: e.Port, Transport: e.Transport, Class: e.Class, Title: e.Title, Name: e.Name(), Sections: e.Sections,
		Registrations: []Registration{}, Techniques: []Technique{}, Uses: []atlas.Use{}, Seen: []atlas.Figure{},
		Malware: some(e.Malware), CVEs: some(e.CVEs), Commands: some(e.Commands), Rules: some(e.Rules), FAQ: some(e.FAQ),
		Adjacent: some(e.Adjacent), Related: some(e.Related), Sources: some(e.Sources), Handwritten: e.Note != nil,
	}
	if n := e.Note; n != nil {
		d.Kind, d.Reach, d.Traits, d.Amplification = n.Kind, n.Reach, &n.Traits, n.Amplification
		d.Uses, d.Seen = some(n.Uses), some(n.Seen)
	}
	for _, r := range e.Registrations {
		d.Registrations = append(d.Registrations, Registration{
			Transport: r.Transport, Name: r.Name, Description: r.Description, Reference: r.Reference, First: r.First, Last: r.Last,
			Registered: r.Registered, Modified: r.Modified, Unauthorized: r.Unauthorized, Notes: r.Notes,
		})
	}
	for _, t := range e.Techniques {
		d.Techniques = append(d.Techniques, Technique{t.ID, t.Name, t.Why, intel.TechniqueURL(t.ID)})
	}
	return d
}

func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// JSON writes an entry as one line.
func JSON(w io.Writer, e *atlas.Entry) error {
	text, err := report.EncodeJSON(Of(e))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
