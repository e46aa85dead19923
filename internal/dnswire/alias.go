package dnswire

import "github.com/miekg/dns"

// The types of the library, re-exported so that other packages need not import
// it.

type (
	// RR is any resource record.
	RR = dns.RR
	// RRHeader is what all records begin with.
	RRHeader = dns.RR_Header
	// Msg is a message.
	Msg = dns.Msg
	// Question is an entry of the question section.
	Question = dns.Question
	// A is the record type.
	A = dns.A
	// AAAA is the record type.
	AAAA = dns.AAAA
	// NS is the record type.
	NS = dns.NS
	// CNAME is the record type.
	CNAME = dns.CNAME
	// PTR is the record type.
	PTR = dns.PTR
	// SOA is the record type.
	SOA = dns.SOA
	// TXT is the record type.
	TXT = dns.TXT
	// SRV is the record type.
	SRV = dns.SRV
	// MX is the record type.
	MX = dns.MX
	// DS is the record type.
	DS = dns.DS
	// DNSKEY is the record type.
	DNSKEY = dns.DNSKEY
	// RRSIG is the record type.
	RRSIG = dns.RRSIG
	// NSEC is the record type.
	NSEC = dns.NSEC
	// NSEC3 is the record type.
	NSEC3 = dns.NSEC3
	// NSEC3PARAM is the record type.
	NSEC3PARAM = dns.NSEC3PARAM
	// OPT is the record type.
	OPT = dns.OPT
	// ANY is a record without data, as in a prerequisite.
	ANY = dns.ANY
	// Option is any EDNS option.
	Option = dns.EDNS0
	// NSID is the EDNS option of RFC 5001.
	NSID = dns.EDNS0_NSID
	// Subnet is the EDNS option of RFC 7871.
	Subnet = dns.EDNS0_SUBNET
	// Cookie is the EDNS option of RFC 7873.
	Cookie = dns.EDNS0_COOKIE
	// LocalOpt is an EDNS option without a form of its own.
	LocalOpt = dns.EDNS0_LOCAL
	// EDE is the EDNS option of RFC 8914.
	EDE = dns.EDNS0_EDE
	// Expire is the EDNS option of RFC 7314.
	Expire = dns.EDNS0_EXPIRE
)

// Types (RFC 1035 section 3.2.2 and the IANA registry).
const (
	TypeA          = dns.TypeA
	TypeAAAA       = dns.TypeAAAA
	TypeNS         = dns.TypeNS
	TypeCNAME      = dns.TypeCNAME
	TypePTR        = dns.TypePTR
	TypeSOA        = dns.TypeSOA
	TypeTXT        = dns.TypeTXT
	TypeSRV        = dns.TypeSRV
	TypeMX         = dns.TypeMX
	TypeDS         = dns.TypeDS
	TypeDNSKEY     = dns.TypeDNSKEY
	TypeRRSIG      = dns.TypeRRSIG
	TypeNSEC       = dns.TypeNSEC
	TypeNSEC3      = dns.TypeNSEC3
	TypeNSEC3PARAM = dns.TypeNSEC3PARAM
	TypeHINFO      = dns.TypeHINFO
	TypeANY        = dns.TypeANY
	TypeAXFR       = dns.TypeAXFR
	TypeIXFR       = dns.TypeIXFR
	TypeOPT        = dns.TypeOPT
)

// Classes (RFC 1035 section 3.2.4, RFC 2136 section 2.4).
const (
	ClassIN   = dns.ClassINET
	ClassCH   = dns.ClassCHAOS
	ClassNONE = dns.ClassNONE
	ClassANY  = dns.ClassANY
)

// Opcodes (RFC 1035, RFC 1996, RFC 2136).
const (
	OpQuery  = dns.OpcodeQuery
	OpIQuery = dns.OpcodeIQuery
	OpStatus = dns.OpcodeStatus
	OpNotify = dns.OpcodeNotify
	OpUpdate = dns.OpcodeUpdate
)

// Response codes (RFC 1035, RFC 2136, RFC 6891).
const (
	RcodeNoError  = dns.RcodeSuccess
	RcodeFormErr  = dns.RcodeFormatError
	RcodeServFail = dns.RcodeServerFailure
	RcodeNXDomain = dns.RcodeNameError
	RcodeNotImp   = dns.RcodeNotImplemented
	RcodeRefused  = dns.RcodeRefused
	RcodeYXDomain = dns.RcodeYXDomain
	RcodeYXRRSet  = dns.RcodeYXRrset
	RcodeNXRRSet  = dns.RcodeNXRrset
	RcodeNotAuth  = dns.RcodeNotAuth
	RcodeNotZone  = dns.RcodeNotZone
	RcodeBadVers  = dns.RcodeBadVers
	RcodeBadCook  = dns.RcodeBadCookie
)

// EDNS option codes (IANA DNS EDNS0 Option Codes).
const (
	OptionNSID   = dns.EDNS0NSID
	OptionSubnet = dns.EDNS0SUBNET
	OptionCookie = dns.EDNS0COOKIE
	OptionExpire = dns.EDNS0EXPIRE
)

// TypeName is "AAAA" or "TYPE1234".
func TypeName(t uint16) string { return dns.Type(t).String() }

// ClassName is "IN", "CH", "CLASS1234".
func ClassName(c uint16) string { return dns.Class(c).String() }

// RcodeName is "NOERROR", "RCODE123".
func RcodeName(rcode int) string {
	if s, ok := dns.RcodeToString[rcode]; ok {
		if rcode == dns.RcodeBadVers {
			return "BADVERS"
		}
		return s
	}
	return "RCODE" + itoa(rcode)
}

// OpcodeName is "QUERY", "OPCODE7".
func OpcodeName(op int) string {
	if s, ok := dns.OpcodeToString[op]; ok {
		return s
	}
	return "OPCODE" + itoa(op)
}

// FQDN adds the closing dot where it is missing.
func FQDN(name string) string { return dns.Fqdn(name) }

// CanonicalName is the fully qualified name in lower case.
func CanonicalName(name string) string { return dns.CanonicalName(name) }

// ValidName reports whether name can stand in a message: labels of at most 63
// bytes, 255 bytes in all.
func ValidName(name string) bool { _, ok := dns.IsDomainName(name); return ok }

// IsSubdomain reports whether child is parent or below it.
func IsSubdomain(parent, child string) bool { return dns.IsSubDomain(parent, child) }

// Labels splits a name into its labels, without the root.
func Labels(name string) []string { return dns.SplitDomainName(name) }

// ReverseName is the in-addr.arpa or ip6.arpa name of an address.
func ReverseName(addr string) (string, error) { return dns.ReverseAddr(addr) }

// ParseRR reads one record in presentation form.
func ParseRR(s string) (RR, error) { return dns.NewRR(s) }
