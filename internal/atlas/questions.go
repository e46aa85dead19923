package atlas

import (
	"fmt"
	"strings"
)

// questions are the note's, then the usual ones that it does not answer.
func (e *Entry) questions() []Question {
	var out []Question
	if e.Note != nil {
		out = append(out, e.Note.FAQ...)
	}
	// A word must begin where one does: "how" is not in "show".
	asked := func(words ...string) bool {
		for _, q := range out {
			text, all := wordsOnly(q.Question), true
			for _, w := range words {
				all = all && strings.Contains(text, " "+w+" ")
			}
			if all {
				return true
			}
		}
		return false
	}
	add := func(question, answer string) { out = append(out, Question{question, answer}) }
	port := fmt.Sprint(e.Port)
	here := "port " + port
	if !asked("what is", here, "used for") && !asked("what uses", here) && !asked("runs on", here) &&
		!asked("is running on", here) && !asked("what is "+here) {
		add("What is port "+port+" used for?", e.defaultService())
	}
	if !asked("tcp", "udp") {
		add("Is port "+port+" TCP or UDP?", e.overWhat())
	}
	if !asked("how", here+" is open") {
		add("How do I check whether port "+port+" is open?", e.howToCheck())
	}
	if !asked("should", "open") && !asked("should", "internet") && !asked("should", "expose") {
		add("Should port "+port+" be open to the Internet?", e.shouldBeOpen())
	}
	if !asked("how", "close "+here) && !asked("how", "block "+here) && !asked("how", "close it") {
		add("How do I close port "+port+"?", e.howToClose())
	}
	if !asked("related") {
		add("Which ports are related to "+port+"?", e.relatedText())
	}
	return out
}

// wordsOnly is text in lower case with one blank before and behind each word.
func wordsOnly(text string) string { return " " + strings.Join(wordsOf(text), " ") + " " }

func (e *Entry) defaultService() string {
	switch {
	case e.Note != nil && e.Note.Title != e.Note.Name:
		return fmt.Sprintf("%s, in full %s, is the service met on port %d (%s).", e.Note.Name, e.Note.Title, e.Port, e.Note.Kind)
	case e.Note != nil:
		return fmt.Sprintf("%s is the service met on port %d (%s).", e.Note.Name, e.Port, e.Note.Kind)
	case e.subject() != "":
		return fmt.Sprintf("IANA registered it for %s. Other software may listen there all the same; only an answer tells.", e.subject())
	case e.Port == 0:
		return "For nothing: it is reserved, and a program that asks for it gets another port."
	case e.Class == Dynamic:
		return "For no service in particular: the number is in the range that systems hand out for a while."
	}
	return "No service is registered for it. Whatever listens was put there by its makers or by an administrator."
}

func (e *Entry) overWhat() string {
	var registered []string
	for _, r := range e.Registrations {
		if t := strings.ToUpper(r.Transport); !vacant(r) && t != "" && !strings.Contains(strings.Join(registered, " "), t) {
			registered = append(registered, t)
		}
	}
	switch {
	case e.Note != nil:
		return fmt.Sprintf("%s is met over %s. The same number over another transport is another port: scan both.", e.Note.Name, upper(e.Note.Transports))
	case e.Transport != "" && len(registered) > 0:
		return fmt.Sprintf("It is registered for %s, over which it is described here. The same number over another transport is another port: see the whole of port %d.", upper(registered), e.Port)
	case e.Transport != "":
		return fmt.Sprintf("Over %s, as described here, nobody has registered it. The same number over another transport is another port: see the whole of port %d.", strings.ToUpper(e.Transport), e.Port)
	case len(registered) > 0:
		return fmt.Sprintf("It is registered for %s. The same number over another transport is another port, which software may use all the same.", upper(registered))
	case e.Transport == "" && e.subject() != "":
		return "The registry gives it to " + e.subject() + " and names no transport, so a scan asks both."
	}
	return "Neither is registered. TCP and UDP ports of the same number have nothing to do with each other, so a scan asks both."
}

func upper(transports []string) string {
	out := make([]string, len(transports))
	for i, t := range transports {
		out[i] = strings.ToUpper(t)
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}

func (e *Entry) howToCheck() string {
	return fmt.Sprintf("From outside the network: `%s`. On the host itself `%s | grep ':%d '` shows which program listens, which says nothing of the firewall before it.", e.Commands[0].Line, e.listeners(), e.Port)
}

func (e *Entry) shouldBeOpen() string {
	if e.Note == nil {
		if s := e.subject(); s != "" {
			return fmt.Sprintf("Only if you run %s for strangers on purpose, know how it authenticates and encrypts, and keep it patched. Otherwise it stays closed to the Internet.", s)
		}
		if e.Port == 0 {
			return "No. No service has it, and packets to it can be dropped without loss."
		}
		return "No. No public service belongs here, so a rule that opens it needs an owner and a reason."
	}
	switch e.Note.Reach {
	case ReachInternet:
		return fmt.Sprintf("Only on hosts that are meant to serve %s to the public. Everywhere else it stays closed.", e.Note.Name)
	case ReachVPN:
		return fmt.Sprintf("No. Reach %s through a VPN or a bastion, and drop it on the side of the Internet.", e.Note.Name)
	case ReachLAN:
		return fmt.Sprintf("No. %s belongs inside one network; the router drops it in both directions.", e.Note.Name)
	case ReachHost:
		return fmt.Sprintf("No. %s should listen on the loopback address only.", e.Note.Name)
	case ReachNobody:
	}
	return fmt.Sprintf("No. %s ought not to run any more; replace it and close the port.", e.Note.Name)
}

func (e *Entry) howToClose() string {
	return fmt.Sprintf("Stop the program or bind it to an inner address, then close the port in the firewall; the rules for nftables and iptables are in the section on defence. Prove it from outside: `%s` must not say open.", e.Commands[0].Line)
}

func (e *Entry) relatedText() string {
	if len(e.Related) == 0 {
		return "None that the registry or this reference ties to it."
	}
	parts := make([]string, len(e.Related))
	for i, r := range e.Related {
		parts[i] = fmt.Sprintf("%d (%s)", r.Port, r.Name)
	}
	return strings.Join(parts, ", ") + "."
}
