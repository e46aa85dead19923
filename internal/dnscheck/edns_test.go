package dnscheck

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
)

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// rightEDNS are the answers of a server that does everything right.
func rightEDNS(t *testing.T) ednsAnswers {
	t.Helper()
	with := func(words string) dialogue.Answer {
		a := answerTo(t, question("example.test", dnswire.TypeSOA), words)
		a.Msg.SetEdns0(1232, true)
		a.Msg.Size = 100
		return a
	}
	m := ednsAnswers{
		plain: answerTo(t, question("example.test", dnswire.TypeSOA), "NOERROR aa", soaText), modern: with("NOERROR aa"),
		version: with("NOERROR"), option: with("NOERROR aa"), flag: with("NOERROR aa"), small: with("NOERROR aa tc"),
		bare: answerTo(t, question("example.test", dnswire.TypeANY), "NOERROR aa"), kind: answerTo(t, question("example.test", unknownType), "NOERROR aa"),
		opcode: answerTo(t, question("example.test", dnswire.TypeSOA), "NOTIMP"),
	}
	m.version.Msg.Rcode = dnswire.RcodeBadVers
	return m
}

func TestJudgeEDNS(t *testing.T) {
	t.Parallel()
	silent := dialogue.Answer{}
	for _, tt := range []struct {
		name  string
		spoil func(m *ednsAnswers)
		want  string
		says  string
	}{
		{"right", func(*ednsAnswers) {}, "pass", "RFC 6891"},
		{"no answer at all", func(m *ednsAnswers) { m.plain = silent }, "not-tested", "no answer"},
		{"garbled", func(m *ednsAnswers) { m.plain.Msg.Malformed = errors.New("cut") }, "not-tested", "does not parse"},
		{"refuses everything", func(m *ednsAnswers) { m.plain.Msg.Rcode = dnswire.RcodeRefused }, "not-tested", "--zone"},
		{"EDNS dropped", func(m *ednsAnswers) { m.modern = silent }, "not-tested", "a question with EDNS"},
		{"no EDNS: FORMERR", func(m *ednsAnswers) { m.modern.Msg.Rcode = dnswire.RcodeFormErr }, "fail", "not supported"},
		{"no EDNS: no OPT", func(m *ednsAnswers) { m.modern.Msg.Extra = nil }, "fail", "not supported"},
		{"version taken for 0", func(m *ednsAnswers) { m.version.Msg.Rcode = 0 }, "fail", "BADVERS is due"},
		{"BADVERS names a wrong version", func(m *ednsAnswers) { m.version.Msg.OPT().SetVersion(1) }, "fail", "names version 1"},
		{"BADVERS without OPT", func(m *ednsAnswers) { m.version.Msg.Extra = nil }, "pass", ""},
		{"option refused", func(m *ednsAnswers) { m.option.Msg.Rcode = dnswire.RcodeFormErr }, "fail", "unknown option is answered FORMERR"},
		{"option echoed", func(m *ednsAnswers) {
			m.option.Msg.OPT().Option = []dnswire.Option{&dnswire.LocalOpt{Code: unknownOption}}
		}, "fail", "option is echoed"},
		{"flag echoed", func(m *ednsAnswers) { m.flag.Msg.OPT().Hdr.Ttl |= unknownFlag }, "fail", "flag is echoed"},
		{"flag refused", func(m *ednsAnswers) { m.flag.Msg.Rcode = dnswire.RcodeNotImp }, "fail", "unknown flag is answered NOTIMP"},
		{"512 ignored", func(m *ednsAnswers) { m.small.Msg.Size = 513 }, "fail", "513 bytes to a client"},
		{"512 kept", func(m *ednsAnswers) { m.small.Msg.Size = 512 }, "pass", ""},
		{"no EDNS and large", func(m *ednsAnswers) { m.bare.Msg.Size = 900 }, "fail", "900 bytes"},
		{"type refused", func(m *ednsAnswers) { m.kind.Msg.Rcode = dnswire.RcodeNotImp }, "fail", "unknown type"},
		{"opcode accepted", func(m *ednsAnswers) { m.opcode.Msg.Rcode = 0 }, "fail", "unknown opcode is answered NOERROR"},
		{"opcode dropped, as PowerDNS", func(m *ednsAnswers) { m.opcode = silent }, "pass", "meets silence"},
		{"option dropped", func(m *ednsAnswers) { m.option = silent }, "not-tested", "no answer to an unknown option"},
		{"version wrong, option dropped", func(m *ednsAnswers) { m.version.Msg.Rcode, m.option = 0, silent }, "fail medium", "BADVERS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := rightEDNS(t)
			tt.spoil(&m)
			o := judgeEDNS(m)
			shows(t, o, tt.want)
			if !strings.Contains(o.Reason, tt.says) {
				t.Errorf("reason %q, want %q in it", o.Reason, tt.says)
			}
		})
	}
}
