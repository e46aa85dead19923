package intel

// Malware is one documented or observed meeting of malicious software and a
// port. Sources differ in what they prove, so wording does, too: a report says
// that a family uses a port, a list of indicators that it was observed there.
type Malware struct {
	Name      string `json:"name"`
	ID        string `json:"id"`                  // of ATT&CK: S0149, G0046; empty when it has none
	Role      string `json:"role"`                // c2, c2-proxy, knock-trigger, scan-target, observed, rule …
	Transport string `json:"transport,omitempty"` // tcp or udp; empty when the source names none
	Technique string `json:"technique,omitempty"` // of ATT&CK, when the source links one
	Count     int    `json:"count,omitempty"`     // distinct hosts or servers seen; 0 when not counted
	Source    string `json:"source"`              // "MITRE ATT&CK", "maltrail", …
	AsOf      string `json:"as_of"`               // date of the source, YYYY-MM-DD or YYYY
	Citation  string `json:"citation"`            // a title, a rule's id, or an address
}

// Vulnerability is a CVE as a page about software shows it.
type Vulnerability struct {
	ID       string   `json:"cve"`
	Product  string   `json:"product,omitempty"`
	Title    string   `json:"title"`
	CVSS     float64  `json:"cvss,omitempty"` // 0: unscored
	EPSS     float64  `json:"epss,omitempty"` // probability of exploitation within 30 days; 0: unknown
	KEV      bool     `json:"kev"`            // in CISA's catalogue of known exploited vulnerabilities
	KEVAdded string   `json:"kev_added,omitempty"`
	FixedIn  []string `json:"fixed_in,omitempty"`
}
