package atlassite

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
)

const evil = `<script>alert(1)</script><img src=x onerror=alert(2)> ![x](https://evil.example/x.png) [y](javascript:alert(3)) ` +
	`<https://ok.example/> </script><!-- --> "><svg onload=alert(4)> &lt;b&gt; {{.}} **bold**`

// Whatever an entry says is text.
func TestAtlasHostileEntry(t *testing.T) {
	s, err := newSite(content(""), 100)
	if err != nil {
		t.Fatal(err)
	}
	block := "# heading\n\n<script>\nalert(1)\n</script>\n\n```\n</pre><script>\n```\n\n[ref]: javascript:alert(1)\n\n[ref] " + evil
	e := atlas.Entry{
		Port: 53, Class: atlas.System, Title: "Port 53: " + evil,
		Registrations: []atlas.Registration{{First: 53, Last: 53, Transport: "tcp", Name: evil, Description: evil}},
		Note:          &atlas.Note{Name: evil, Title: evil, Transports: []string{evil}, Kind: atlas.Kind(evil), Reach: atlas.Reach(evil)},
		Sections: atlas.Sections{
			Understanding: block, Security: block, Defence: block, WhyScan: block, ThreatIntelligence: block, Vulnerabilities: block,
		},
		FAQ:      []atlas.Question{{Question: evil, Answer: block}, {Question: "a\n\nb", Answer: ""}},
		Adjacent: []atlas.Neighbour{{Port: 54, Name: evil, Relation: evil}},
		Related:  []atlas.Related{{Port: 52, Transport: evil, Name: evil, Relation: block}},
		Sources:  []atlas.Source{{Title: evil, URL: "javascript:alert(5)"}, {Title: evil, URL: `https://ok.example/"><script>`}},
	}
	for range 30 {
		e.Malware = append(e.Malware, intel.Malware{Name: evil, ID: evil, Role: evil, Source: evil, AsOf: evil, Transport: evil})
	}
	at := placeOf(&e, true)
	data, err := s.render("port", s.portPage(&at, &e))
	if err != nil {
		t.Fatal(err)
	}
	p := readPage(t, "hostile", data)
	p.harmless(t)
	if p.count("script") != 1 || p.count("h1") != 1 || p.count("title") != 1 {
		t.Errorf("%d scripts, %d headings, %d titles", p.count("script"), p.count("h1"), p.count("title"))
	}
	if n := strings.Count(p.ld[0], "<"); n > 0 {
		t.Errorf("%d signs in the data could end it", n)
	}
	if !strings.Contains(textOf(p.doc), "<script> alert(1) </script>") {
		t.Error("the text is not shown")
	}
}

// What is rendered is harmless, whatever the Markdown.
func FuzzAtlasMarkup(f *testing.F) {
	for _, s := range []string{evil, "port 53, 853 and 443; ports 1-2", "- a\n  - b 53/udp\n\n```\nx\n```", "CVE-2023-50387 RFC 1035 T1071.004", "[a][b]\n\n[b]: data:text/html,x", "![a][b]\n\n[b]: x", "`a` *b* ***c***", "> q\n\n\tcode \x00\xff"} {
		f.Add(s)
	}
	m := newMarkup()
	f.Fuzz(func(t *testing.T, source string) {
		to := targets{page: func(int) string { return "../53/index.html" }, bare: map[int]bool{443: true}}
		_ = m.plain(source)
		for _, out := range []string{string(m.html(source, to)), string(m.inline(source, to))} {
			doc, err := html.Parse(bytes.NewReader([]byte(out)))
			if err != nil {
				t.Fatal(err)
			}
			for n := range doc.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				switch n.Data {
				case "html", "head", "body", "p", "a", "ul", "ol", "li", "pre", "code", "em", "strong", "br", "blockquote":
				default:
					t.Errorf("%q made <%s>", source, n.Data)
				}
				if href := strings.ToLower(attr(n, "href")); strings.HasPrefix(href, "javascript:") || strings.HasPrefix(href, "data:") || strings.HasPrefix(href, "vbscript:") {
					t.Errorf("%q made a link to %q", source, href)
				}
			}
		}
	})
}

func TestAtlasMarkup(t *testing.T) {
	to := targets{bare: map[int]bool{80: true, 443: true, 2000: true, 2049: true, 8081: true, 8083: true}, page: func(port int) string {
		if port == 53 {
			return ""
		}
		return "P" + strings.Repeat("I", port%3)
	}}
	m := newMarkup()
	tests := []struct{ name, source, want string }{
		{"port", "On port 80.", `<p>On port <a href="PII">80</a>.</p>`},
		{"own port", "On port 53.", `<p>On port 53.</p>`},
		{"list of ports", "Ports 80, 81 and 82 are", `<p>Ports <a href="PII">80</a>, <a href="P">81</a> and <a href="PI">82</a> are</p>`},
		{"transport", "see 80/tcp", `<p>see <a href="PII">80</a>/tcp</p>`},
		{"no port", "port 53 and 1,600 packets, 1035 of them", `<p>port 53 and 1,600 packets, 1035 of them</p>`},
		{"bare", "on 443, 8081–8083 and 444", `<p>on <a href="PII">443</a>, <a href="PII">8081</a>–<a href="PI">8083</a> and 444</p>`},
		{"named", "80 (HTTP), 2049 (NFS), 81 (x)", `<p><a href="PII">80</a> (HTTP), <a href="P">2049</a> (NFS), 81 (x)</p>`},
		{"no bare port", "in 2000 and 2049; 443 bytes, 1,443, 443,000, 1.443, x-443, 443/4, 80 and 443%", `<p>in 2000 and 2049; 443 bytes, 1,443, 443,000, 1.443, x-443, 443/4, 80 and 443%</p>`},
		{"in code", "`port 80`", `<p><code>port 80</code></p>`},
		{"in a link", "[port 80](https://a.example/)", `<p><a href="https://a.example/">port 80</a></p>`},
		{"in bold", "**port 80**", `<p><strong>port <a href="PII">80</a></strong></p>`},
		{"cve", "(CVE-2020-1350)", `<p>(<a href="https://www.cve.org/CVERecord?id=CVE-2020-1350">CVE-2020-1350</a>)</p>`},
		{"rfc", "RFC 1035 and RFC7766", `<p><a href="https://www.rfc-editor.org/rfc/rfc1035">RFC 1035</a> and <a href="https://www.rfc-editor.org/rfc/rfc7766">RFC7766</a></p>`},
		{"technique", "T1071.004, not T38", `<p><a href="https://attack.mitre.org/techniques/T1071/004/">T1071.004</a>, not T38</p>`},
		{"html", "a <b>c</b>", `<p>a &lt;b&gt;c&lt;/b&gt;</p>`},
		{"image", "![text](https://a.example/x.png)", `<p>text</p>`},
		{"heading", "# a", `<p># a</p>`},
		{"code block", "```\na\n```", "<pre tabindex=\"0\"><code>a\n</code></pre>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.TrimSpace(string(m.html(tt.source, to))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got, want := m.plain("a `b` &lt;c&gt; **d** [e](https://f.example/)\ng\\_h\n\n- i\n- j"), "a b <c> d e g_h i j"; got != want {
		t.Errorf("plain: got %q, want %q", got, want)
	}
}
