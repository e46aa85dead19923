package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"reconshield/internal/exposure"
)

func newFirewallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firewall",
		Short: "Recommend rules, and audit rulesets",
		Long: `It answers how to close what is exposed, for the firewall that you have: it writes
rules from the exposure policy, and reads a ruleset to tell exactly who can start
a conversation with which port, and why.`,
		Example: `reconshield firewall recommend --policy policy.yaml --asset ns1 --for nftables
iptables-save | reconshield firewall audit - --local
reconshield firewall audit rules.nft --policy policy.yaml --query "from wan to udp/53"`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownSub(cmd, args[0])
		},
	}
	cmd.AddCommand(newFirewallAuditCommand(), newFirewallRecommendCommand(), newFirewallFormatsCommand(),
		newFirewallRehearseCommand(), newFirewallVerifyCommand(), newFirewallApplyCommand(), newFirewallConfirmCommand())
	return cmd
}

// parseFailOn reads the severity from which on findings fail a command.
func parseFailOn(text string) (exposure.Severity, error) {
	s := exposure.Severity(text)
	if s.Rank() == 0 {
		return s, fmt.Errorf("--fail-on %q: critical, high, medium, low, info or none", text)
	}
	return s, nil
}
