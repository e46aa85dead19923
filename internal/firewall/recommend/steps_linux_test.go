package recommend_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
)

// TestRollback does what the steps say, in a shell: save, load, roll back. The
// rules are then what they were.
func TestRollback(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redirecting", "gateway", "docker"} {
		for _, format := range []string{"nftables", "iptables"} {
			for _, before := range []string{"nothing", "other rules", "an earlier plan"} {
				t.Run(name+"/"+format+"/"+before, func(t *testing.T) {
					t.Parallel()
					plan := plans(t)[name]
					r := newRig(t, plan.Place)
					c := render(t, format, plan)
					switch before {
					case "other rules":
						publish(t, r, format)
					case "an earlier plan":
						load(t, r, format, render(t, format, plans(t)["authoritative"]))
					}
					folder := t.TempDir()
					was := rules(t, r, format)
					steps(t, r, folder, c.Apply[:1])
					load(t, r, format, c)
					if cmp.Equal(was, rules(t, r, format)) {
						t.Fatal("loading changes nothing")
					}
					for _, s := range c.Rollback {
						if !strings.Contains(s.Command, "systemctl") && !strings.Contains(s.Command, "/etc/") {
							steps(t, r, folder, []firewall.Step{s})
						}
					}
					if diff := cmp.Diff(was, rules(t, r, format)); diff != "" {
						t.Errorf("rolled back (-before +after):\n%s", diff)
					}
				})
			}
		}
	}
}

func steps(t *testing.T, r *rig, folder string, all []firewall.Step) {
	t.Helper()
	for _, s := range all {
		r.run(t, "host", "", "sh", "-ec", "cd '"+folder+"'\n"+s.Command)
	}
}

// rules are all that is loaded, in an order of tables and chains that does not
// depend on who came first, and without what lets pass everything.
func rules(t *testing.T, r *rig, format string) string {
	t.Helper()
	counters := regexp.MustCompile(`\[\d+:\d+\]`)
	var out []string
	if format == "nftables" {
		return r.run(t, "host", "", "nft", "-s", "list", "ruleset")
	}
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		tables := strings.Split(counters.ReplaceAllString(r.run(t, "host", "", program), "[0:0]"), "COMMIT\n")
		for i, table := range tables {
			var chains, rules []string
			for line := range strings.Lines(table) {
				switch {
				case strings.HasPrefix(line, "#"), strings.HasSuffix(line, " ACCEPT [0:0]\n"):
				case strings.HasPrefix(line, ":"):
					chains = append(chains, line)
				default:
					rules = append(rules, line)
				}
			}
			slices.Sort(chains)
			if tables[i] = ""; len(chains)+len(rules) > 1 {
				tables[i] = strings.Join(slices.Concat(rules[:1], chains, rules[1:]), "")
			}
		}
		tables = slices.DeleteFunc(tables, func(text string) bool { return text == "" })
		slices.Sort(tables)
		out = append(out, tables...)
	}
	return strings.Join(out, "\n")
}
