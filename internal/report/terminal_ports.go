package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// column is one column of the table of ports.
type column struct {
	head  string
	cells []string
	width int
	least int // may be cut to this width; of no meaning for what is never cut
	color func(row int) paint
	right bool
}

// ports writes the table of ports: rows for what is open or in doubt, one line
// for each other state and reason.
func (p *page) ports(a exposure.Asset) {
	rows, groups := splitPorts(a, p.verbose)
	if len(rows)+len(groups) == 0 {
		return
	}
	if len(rows) > 0 {
		p.table(p.portColumns(rows), func(row int) {
			p.underPort(rows[row])
			if row == len(rows)-1 || rows[row+1].Port != rows[row].Port {
				p.meaning(rows[row].Meaning)
			}
		})
	}
	p.legend(a, rows)
	for _, g := range groups {
		icon, color := p.state(g.State)
		head := fmt.Sprintf("%s %-14s", icon, g.State)
		p.hanging(2, color(head), ansi.StringWidth(head), plain, g.Ports+"  ("+Sanitize(string(g.Reason))+")")
	}
}

func (p *page) portColumns(rows []exposure.PortState) []column {
	cols := []column{
		{head: "PORT"},
		{head: "STATE"},
		{head: "SERVICE", least: 7},
		{head: "SOFTWARE", least: 12},
		{head: "REASON", least: 8},
		{head: "RTT", right: true},
	}
	for _, r := range rows {
		icon, _ := p.state(r.State)
		service := ""
		if r.Service != nil {
			service = Sanitize(r.Service.Protocol)
		}
		state := []string{icon, string(r.State)}
		for _, l := range r.Labels {
			state = append(state, p.Alert, labelWords(l))
		}
		for i, text := range []string{
			strconv.Itoa(int(r.Port)) + "/" + string(r.Transport), strings.Join(state, " "), service, software(r.Service),
			Sanitize(string(r.Reason)), rtt(r),
		} {
			cols[i].cells = append(cols[i].cells, text)
		}
	}
	faint := func(int) paint { return p.Faint }
	cols[0].color = func(int) paint { return p.Strong }
	cols[1].color = func(i int) paint {
		if len(rows[i].Labels) > 0 {
			return p.Loud
		}
		_, color := p.state(rows[i].State)
		return color
	}
	cols[4].color, cols[5].color = faint, faint
	return p.squeeze(cols)
}

// squeeze drops empty columns and makes the rest fit the width: columns that
// may be cut are cut, first the software, which stands above the table too;
// then whole columns go.
func (p *page) squeeze(cols []column) []column {
	cols = slices.DeleteFunc(cols, func(c column) bool { return strings.Join(c.cells, "") == "" })
	total := 2 // the indentation
	for i := range cols {
		cols[i].width = len(cols[i].head)
		for _, c := range cols[i].cells {
			cols[i].width = max(cols[i].width, ansi.StringWidth(c))
		}
		total += cols[i].width + 2
	}
	total -= 2
	for _, name := range []string{"SOFTWARE", "SERVICE", "REASON"} {
		i := slices.IndexFunc(cols, func(c column) bool { return c.head == name })
		if i < 0 || total <= p.width {
			continue
		}
		if c := &cols[i]; c.width > c.least {
			cut := min(total-p.width, c.width-c.least)
			c.width -= cut
			total -= cut
		}
	}
	for len(cols) > 2 && total > p.width {
		total -= cols[len(cols)-1].width + 2
		cols = cols[:len(cols)-1]
	}
	return cols
}

// table writes columns under their heads, and after gives each row what stands
// below it.
func (p *page) table(cols []column, after func(row int)) {
	var head []string
	for _, c := range cols {
		head = append(head, align(c.head, c, p.More))
	}
	p.line("  ", p.Faint(strings.TrimRight(strings.Join(head, "  "), " ")))
	for row := range cols[0].cells {
		var b strings.Builder
		for i, c := range cols {
			if i > 0 {
				b.WriteString("  ")
			}
			color := plain
			if c.color != nil {
				color = c.color(row)
			}
			text := align(c.cells[row], c, p.More)
			body := strings.TrimSpace(text)
			if body == "" {
				b.WriteString(text)
				continue
			}
			at := strings.Index(text, body)
			b.WriteString(text[:at] + color(body) + text[at+len(body):])
		}
		p.line("  ", b.String())
		after(row)
	}
}

func align(text string, c column, more string) string {
	if c.right && ansi.StringWidth(text) <= c.width {
		return strings.Repeat(" ", c.width-ansi.StringWidth(text)) + text
	}
	return fit(text, c.width, more)
}

// underPort adds what the server said where nothing else tells what it is.
func (p *page) underPort(r exposure.PortState) {
	const indent = 4
	if r.Detail != "" {
		p.para(indent, p.Faint, Sanitize(r.Detail))
	}
	if r.Service == nil {
		return
	}
	banner := r.Service.Banner
	dns := r.Service.Protocol == "dns"
	if banner != "" && (p.verbose || !dns && software(r.Service) == "") {
		text := `banner "` + sanitize(banner, bannerLimit(p)) + `"`
		p.para(indent, p.Faint, text)
	}
	if !p.verbose {
		return
	}
	for _, d := range r.Service.Details {
		p.para(indent, p.Faint, Sanitize(d))
	}
	if r.Service.CPE != "" {
		p.para(indent, p.Faint, Sanitize(r.Service.CPE))
	}
}

// meaning says, below the rows of a port, what its number stands for.
func (p *page) meaning(m *exposure.Meaning) {
	if m != nil {
		p.para(4, p.Faint, meaningText(m)+". More: "+m.More)
	}
}

// meaningText is what is known of a port's number in a few sentences.
func meaningText(m *exposure.Meaning) string {
	text := m.Title
	switch m.Reach {
	case "internet":
		text += "; public only where it is served on purpose"
	case "vpn":
		text += "; belongs behind a VPN"
	case "lan":
		text += "; belongs inside one network"
	case "host":
		text += "; belongs on loopback"
	case "nobody":
		text += "; ought not to run"
	}
	if m.Abuse != "" {
		text += ". Abuse: " + strings.TrimSuffix(m.Abuse, ".")
	}
	const shown = 4
	if n := len(m.Threats); n > 0 {
		text += ". On record: " + strings.Join(m.Threats[:min(n, shown)], ", ")
		if n > shown {
			text += " and others"
		}
	}
	return Sanitize(text)
}

func bannerLimit(p *page) int {
	if p.verbose {
		return maxText
	}
	return 160
}

// legend explains, once, each label that stands in the table and not at the
// asset itself.
func (p *page) legend(a exposure.Asset, rows []exposure.PortState) {
	seen := slices.Clone(a.Labels)
	for _, r := range rows {
		for _, l := range r.Labels {
			if slices.Contains(seen, l) || labelMeaning(l) == "" {
				continue
			}
			seen = append(seen, l)
			head := p.Alert + " " + labelWords(l) + ": "
			p.hanging(2, p.Warn(head), ansi.StringWidth(head), plain, labelMeaning(l))
		}
	}
}
