package identify

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/recog"
)

// complete reports whether b needs no further byte to be told: a whole line of
// text, or anything binary.
func complete(b []byte) bool {
	return bytes.IndexByte(b, '\n') >= 0 || len(b) > 0 && (b[0] < ' ' || b[0] > '~') || len(b) > 4 && bytes.IndexByte(b, 0) >= 0
}

// banner tells a protocol from the first bytes that a server sent of itself.
func (i *Identifier) banner(b []byte) (exposure.Service, bool) {
	if s, ok := i.binaryBanner(b); ok {
		return s, true
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimRight(line, "\r")
	s := exposure.Service{Confidence: exposure.High, How: "server banner", Banner: clip(b)}
	for _, p := range []struct {
		prefix, protocol string
		set              recog.Set // its texts begin after the prefix
	}{
		{"SSH-2.0-", "ssh", recog.SSH},
		{"SSH-1.99-", "ssh", recog.SSH},
		{"SSH-1.5-", "ssh", recog.SSH},
		{"+OK", "pop3", recog.POP3},
		{"* OK", "imap", recog.IMAP},
		{"* PREAUTH", "imap", recog.IMAP},
		{"* BYE", "imap", recog.IMAP},
		{"RFB 0", "vnc", ""},
		{"@RSYNCD:", "rsync", ""},
		{"HTTP/1.", HTTP, ""},
		{"INFO {", "nats", ""},
		{"-ERR", "redis", ""},
		{"AMQP", "amqp", ""},
	} {
		if text, ok := strings.CutPrefix(line, p.prefix); ok {
			s.Protocol = p.protocol
			i.fingerprint(&s, p.set, text)
			return s, true
		}
	}
	if greeting, ok := reply220(line); ok {
		return i.greeting(s, greeting)
	}
	return exposure.Service{}, false
}

// reply220 cuts the reply code of SMTP (RFC 5321 section 4.2) and FTP (RFC 959
// section 4.2), which look alike.
func reply220(line string) (string, bool) {
	if len(line) < 4 || line[3] != ' ' && line[3] != '-' {
		return "", false
	}
	switch line[:3] {
	case "220", "421", "554":
		return line[4:], true
	}
	return "", false
}

func (i *Identifier) greeting(s exposure.Service, text string) (exposure.Service, bool) {
	low := strings.ToLower(text)
	mail := regexp.MustCompile(`smtp|mail|postfix|exim|sendmail`).MatchString(low)
	file := regexp.MustCompile(`ftp|filezilla`).MatchString(low)
	switch {
	case mail && !file:
		s.Protocol = "smtp"
		i.fingerprint(&s, recog.SMTP, text)
	case file && !mail:
		s.Protocol = "ftp"
		i.fingerprint(&s, recog.FTP, text)
	default:
		if i.fingerprint(&s, recog.FTP, text); s.Name != "" {
			s.Protocol = "ftp"
			break
		}
		s.Protocol, s.Confidence = "smtp", exposure.Low
		i.fingerprint(&s, recog.SMTP, text)
		s.Details = append(s.Details, "the greeting fits SMTP and FTP alike")
	}
	return s, true
}

// binaryBanner knows servers whose first message is not text.
func (i *Identifier) binaryBanner(b []byte) (exposure.Service, bool) {
	s := exposure.Service{Confidence: exposure.High, How: "server banner"}
	switch {
	case len(b) >= 5 && b[3] == 0 && mysqlLength(b):
		return i.mysql(s, b)
	case len(b) >= 5 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3 && b[2] <= 4: // TLS record, RFC 8446 section 5.1
		s.Protocol, s.How = TLS, "TLS record"
		return s, true
	case len(b) >= 3 && b[0] == 0xff && b[1] >= 0xfb && b[1] <= 0xfe: // IAC WILL…DONT, RFC 854
		s.Protocol = "telnet"
		return s, true
	}
	return exposure.Service{}, false
}

// mysqlLength checks the packet header: three bytes of length, number 0.
func mysqlLength(b []byte) bool {
	n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	return n >= 5 && n <= 1024 && (b[4] == 10 || b[4] == 9 || b[4] == 0xff)
}

// mysql reads the handshake (protocol version and version string) or the error
// that a server gives to hosts it does not want.
func (i *Identifier) mysql(s exposure.Service, b []byte) (exposure.Service, bool) {
	const header = 4
	body := b[header:]
	s.Protocol = "mysql"
	if body[0] == 0xff {
		if len(body) < 4 {
			return exposure.Service{}, false
		}
		code := binary.LittleEndian.Uint16(body[1:])
		const least, most = 1000, 5000
		if code < least || code > most {
			return exposure.Service{}, false
		}
		s.Banner = clip(body[3:])
		i.fingerprint(&s, recog.MySQL, s.Banner)
		return s, true
	}
	end := bytes.IndexByte(body, 0)
	if end < 2 {
		return exposure.Service{}, false
	}
	s.Banner = clip(body[1:end])
	i.fingerprint(&s, recog.MySQL, s.Banner)
	return s, true
}

// fingerprint adds product and version where the text is known. Product stays
// empty: it is for DNS servers.
func (i *Identifier) fingerprint(s *exposure.Service, set recog.Set, text string) {
	if set == "" || i.prints == nil {
		return
	}
	if m, ok := i.prints.Match(set, strings.TrimSpace(text)); ok {
		s.Name, s.Version, s.CPE = m.Name(), verbatim(text, m.Version()), m.CPE()
	}
}

// verbatim widens a version found in a text to the whole word around its
// end, so that a distribution's suffix is kept: packages of a distribution are
// patched without a new version.
func verbatim(text, version string) string {
	at := strings.Index(text, version)
	if version == "" || at < 0 {
		return version
	}
	end := at + len(version)
	for end < len(text) && end-at < 100 && !strings.ContainsRune(" \t\r\n();,\"", rune(text[end])) {
		end++
	}
	return text[at:end]
}
