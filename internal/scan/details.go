package scan

import "net/netip"

// Details of a UDP port that stayed silent.
const (
	limitedDetail = "the host may limit its ICMP errors and there was not enough time to ask slowly: this port may be closed as well"
	aloneDetail   = "silent also when asked at the host's own pace, so that a limit on its ICMP errors does not explain it"
)

// sameHost compares addresses without zones, which may be written in two ways.
func sameHost(a, b netip.Addr) bool {
	return a.IsValid() && a.Unmap().WithZone("") == b.Unmap().WithZone("")
}
