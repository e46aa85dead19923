package nft
import ("testing";"os";"fmt";"strings";"net/netip";"reconshield/internal/firewall")
func TestTmp(t *testing.T){ b,_:=os.ReadFile("testdata/docker.nft")
 rs,_:=ParseText("f",strings.NewReader(string(b)))
 rs.Host.Local=firewall.AddrsOf(netip.MustParsePrefix("192.0.2.1/32"))
 e:=firewall.NewEvaluator(rs)
 for _,port:=range []firewall.Number{80,8080,22} {
 a,ok:=e.Ask(firewall.Question{In: firewall.Link{Name:"eth0"}, Target: netip.MustParseAddr("192.0.2.1"), Local: firewall.Yes, Protocol:6, Ports: firewall.Span[firewall.Number]{First:port,Last:port}})
 fmt.Println(port,ok); for _,r:=range a {fmt.Println(r.Ports, len(r.May.Spans()), len(r.Must.Spans()), r.May.Spans())}}
}
