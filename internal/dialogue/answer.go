package dialogue

import (
	"net/netip"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// Answer is what came of one question.
type Answer struct {
	Query dnswire.Query
	Via   exposure.Transport
	Port  uint16
	Reply exchange.Reply
	Msg   *dnswire.Message // nil when nothing DNS-shaped came back
	Err   error            // the question was not carried out at all: cancelled, unlawful, over the CHAOS budget
}

// Rcode is the response code, -1 when there was no message.
func (a Answer) Rcode() int {
	if a.Msg == nil {
		return -1
	}
	return a.Msg.Rcode
}

// Is reports whether a message with the response code came back.
func (a Answer) Is(rcode int) bool { return a.Msg != nil && a.Msg.Rcode == rcode }

// Foreign reports whether the answer came from another address than was asked.
func (a Answer) Foreign(asked netip.Addr) bool {
	return a.Reply.From.IsValid() && a.Reply.From.Addr().Unmap().WithZone("") != asked.Unmap().WithZone("")
}

// Outcome is one short phrase: the rcode, or why there was no answer.
func (a Answer) Outcome() string {
	switch {
	case a.Err != nil:
		return "not asked: " + a.Err.Error()
	case a.Msg != nil:
		return a.Msg.RcodeName()
	case a.Reply.Reason == exposure.ReasonTimeout:
		return "no answer"
	case a.Reply.Detail != "":
		return string(a.Reply.Reason) + " (" + a.Reply.Detail + ")"
	}
	return string(a.Reply.Reason)
}

// maxRaw bounds the reply kept in evidence.
const maxRaw = 4096

// Evidence is the answer as evidence, with a note (may be empty).
func (a Answer) Evidence(note string) exposure.Evidence {
	e := exposure.Evidence{
		Transport: a.Via, Query: a.Query.String(), Response: a.Outcome(), Note: note,
		BytesOut: a.Reply.BytesOut, BytesIn: len(a.Reply.Payload),
		RTTms: float64(a.Reply.RTT) / float64(time.Millisecond),
	}
	if a.Msg != nil {
		e.Response, e.Rcode = a.Msg.Summary(), a.Msg.RcodeName()
		e.Raw = a.Reply.Payload[:min(len(a.Reply.Payload), maxRaw)]
	}
	if f := a.Reply.From; f.IsValid() {
		e.From = f.String()
	}
	return e
}
