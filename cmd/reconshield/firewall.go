package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"reconshield/internal/exposure"
)

func newFirewallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firewall",
		Short: "Write, audit, try and load rules",
		Long: `It answers how to close what is exposed, for the firewall that you have: it writes
rules from the exposure policy (recommend), reads a ruleset to tell exactly who can
start a conversation with which port, and why (audit), tries it in a kernel of its
own (rehearse), loads it so that it is taken back unless you confirm (apply), and
looks from outside whether it holds (verify). Only apply and confirm
change this machine's rules.`,
		Example: `reconshield firewall recommend --policy policy.yaml --asset ns1 --for nftables > ns1.nft
reconshield firewall audit ns1.nft --policy policy.yaml
reconshield firewall rehearse ns1.nft --policy policy.yaml
sudo reconshield firewall apply ns1.nft --policy policy.yaml --confirm-within 60s
reconshield firewall verify --policy policy.yaml --zone wan --audit ns1.nft
iptables-save | reconshield firewall audit - --local`,
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
