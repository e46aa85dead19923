package atlas

import (
	"fmt"
	"slices"
	"strings"
)

// derived is the text of a port about which nobody wrote. It says what the data
// say and what follows for any port, and names no service of its own.
func (e *Entry) derived() Sections {
	return Sections{
		Understanding:      e.derivedUnderstanding(),
		Security:           e.derivedSecurity(),
		Defence:            e.derivedDefence(),
		WhyScan:            e.derivedWhyScan(),
		ThreatIntelligence: e.derivedThreats(),
		Vulnerabilities:    e.derivedVulnerabilities(),
	}
}

// holders are the services that the registry names, each once.
func (e *Entry) holders() []string {
	var out []string
	for _, r := range e.Registrations {
		if vacant(r) {
			continue
		}
		name := r.Name
		if name == "" {
			name = r.Description
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// subject is how the text calls the port's service.
func (e *Entry) subject() string {
	switch held := e.holders(); len(held) {
	case 0:
		return ""
	case 1:
		return "`" + held[0] + "`"
	default:
		return "`" + strings.Join(held[:len(held)-1], "`, `") + "` or `" + held[len(held)-1] + "`"
	}
}

// over tells the transport that was asked for; nothing for all.
func (e *Entry) over() string {
	if e.Transport == "" {
		return ""
	}
	return " over " + strings.ToUpper(e.Transport)
}

func (e *Entry) derivedUnderstanding() string {
	switch held := e.subject(); {
	case e.Port == 0:
		return "Port 0 is reserved: no service can listen there by name, and a program that asks for port 0 gets another one. Packets to or from it come from faulty software, from fragments that were read wrongly, or from somebody who is probing."
	case held != "":
		return fmt.Sprintf("Port %d is registered for %s. A registration keeps the number free for one protocol; it does not make anything listen, and nothing stops other software from using the port. What answers on an address of yours is known only by asking it.", e.Port, held)
	case e.Class == Dynamic:
		return fmt.Sprintf("Port %d is in the dynamic range of RFC 6335: it is never assigned to a service. Systems choose such numbers for the client's end of connections, for RPC and media sessions, and for programs that accept whatever port they get. A listener that is always on %d was configured so by somebody.", e.Port, e.Port)
	case len(e.Registrations) > 0:
		return fmt.Sprintf("Port %d has a row in IANA's registry that gives it to nobody%s. No standard service belongs here: whatever listens was put on this number by its own makers or by an administrator.", e.Port, e.over())
	}
	return fmt.Sprintf("Port %d is unassigned%s: IANA's registry gives it to no service. Whatever listens here was put on this number by its own makers or by an administrator, or got it by chance where the system's range for short-lived ports includes it.", e.Port, e.over())
}

func (e *Entry) derivedSecurity() string {
	subject := e.subject()
	if e.Port == 0 {
		return "Nothing can be exposed on port 0 in the usual way. It matters for what it tells: systems answer packets to port 0 differently, which helps to recognise them, and a filter that lets the number pass, or logs nothing of it, treats odd packets carelessly."
	}
	if subject == "" {
		return fmt.Sprintf("Since no known service belongs on port %d, nothing can be said beforehand of its authentication or encryption, and nobody on the Internet needs it. An answer from outside means a program that somebody runs on purpose, one that was left over, or one that does not want to be found. Each is worth knowing before somebody else finds it.", e.Port)
	}
	return fmt.Sprintf("If %s is what listens, read its own documentation for three things before exposing port %d: whether it asks who is calling, whether it encrypts, and which account it ships with. Protocols that were made for one network often do neither of the first two. Until that is known, treat an answer from the Internet as an unproven service: its flaws, its passwords and its data are within anybody's reach.", subject, e.Port)
}

func (e *Entry) derivedDefence() string {
	who := "those who need it"
	if s := e.subject(); s != "" {
		who = "the clients of " + s
	}
	if e.Port == 0 {
		return "Drop packets to and from port 0 at the edge of the network: no service is lost by it. The rules below do so for what comes to one host."
	}
	return fmt.Sprintf("Deny by default: port %d is open to the Internet only when a rule with an owner and a reason says so. Bind the program to the address or interface that %s use, put administration behind a VPN, and watch the port from outside so that a change is noticed. Where nothing of yours should listen, the rules below close it without harm: answers to connections that the host itself began still pass.", e.Port, who)
}

func (e *Entry) derivedWhyScan() string {
	transports := e.Transports()
	var b strings.Builder
	fmt.Fprintf(&b, "A scan of %d shows whether the firewall does what its rules say. ", e.Port)
	if slices.Contains(transports, "tcp") {
		b.WriteString("Over TCP a completed handshake proves a listener, a reset proves that there is none, and silence means a filter. What speaks behind an open port has to be asked: the number proves nothing. ")
	}
	if slices.Contains(transports, "udp") {
		b.WriteString("Over UDP only an answer proves a listener; a port-unreachable message proves that there is none, and silence leaves both possible. ")
	}
	if !slices.Contains(transports, "tcp") && !slices.Contains(transports, "udp") {
		fmt.Fprintf(&b, "It is of use only where something speaks %s: elsewhere nothing answers on any port. ", upper(transports))
	}
	if e.Class == Dynamic {
		b.WriteString("In this range one look can meet a short-lived port: look twice before acting on it. ")
	}
	return b.String()
}

func (e *Entry) derivedThreats() string {
	if e.Port == 0 && len(e.Malware) == 0 {
		return "Packets to port 0 come from scanners that look how a system answers, from faulty programs, and from floods whose tools leave the port empty. From inside they are worth a look at their sender."
	}
	direction := "Connections from outside to this port that are not yours are scans; answers to them are a finding."
	if e.Class == Dynamic || e.Port >= 32768 {
		direction = "As the client's end of a connection the number appears in traffic by chance, so only the side that listens counts."
	}
	switch {
	case len(e.Malware) > 0 && e.subject() != "":
		return fmt.Sprintf("Traffic on %d that is not %s deserves a look, since the families below were reported or observed here. %s", e.Port, e.subject(), direction)
	case len(e.Malware) > 0:
		return fmt.Sprintf("No usual service explains traffic on %d, and the families below were reported or observed here: a host of yours that listens on it, or keeps calling out to it, should be looked at. %s", e.Port, direction)
	case e.subject() != "":
		return fmt.Sprintf("Where %s is not in use, traffic on %d has no ordinary explanation: find the process on the host (`%s`) before anything else. %s", e.subject(), e.Port, e.listeners(), direction)
	}
	return fmt.Sprintf("No usual service explains steady traffic on %d. A listener or a recurring outbound connection is an indicator worth checking: find the process on the host (`%s`), its parent and its file. %s", e.Port, e.listeners(), direction)
}

// listeners is the command that shows on a Linux host what listens.
func (e *Entry) listeners() string {
	letters := ""
	for _, t := range [][2]string{{"tcp", "t"}, {"udp", "u"}, {"sctp", "S"}, {"dccp", "d"}} {
		if slices.Contains(e.Transports(), t[0]) {
			letters += t[1]
		}
	}
	switch letters {
	case "t", "u":
		letters = "tu"
	}
	return "ss -ln" + letters + "p"
}

func (e *Entry) derivedVulnerabilities() string {
	if s := e.subject(); s != "" {
		return fmt.Sprintf("This release holds no table of vulnerabilities for software that listens as %s. Find product and version (`reconshield scan --service` asks what answers), then compare them with the maker's advisories and with CISA's catalogue of known exploited vulnerabilities.", s)
	}
	return fmt.Sprintf("Without a service there is no list of vulnerabilities for port %d. Find out which program listens, then look up its product and version.", e.Port)
}
