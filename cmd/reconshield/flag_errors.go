package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"reconshield/internal/app"
	"reconshield/internal/dnscheck"
	"reconshield/internal/netset"
)

// flagError says what is wrong with a flag and what it takes, instead of how
// its text was parsed.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s %q: %s", e.GetFlag().Name, e.GetValue(), allowed(e.GetFlag()))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s needs a value: %s", e.GetFlag().Name, allowed(e.GetFlag()))
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}

// allowedValues is the annotation of a flag that says itself what it takes.
const allowedValues = "allowed values"

// allowed is what a flag takes: by what it is, or by the kind of its value.
func allowed(f *pflag.Flag) string {
	if own := f.Annotations[allowedValues]; len(own) > 0 {
		return own[0]
	}
	switch f.Name {
	case "rate", "max-rate-per-host", "max-rate-per-network":
		if f.Value.Type() == "int" {
			return "a whole number of packets a second, 1 or more"
		}
		return "a number of packets a second, such as 500; 0 for no fixed limit"
	case "retries":
		return "a whole number from 0 to 15, or -1 for as often as answers are being lost"
	case "min-completeness":
		return "a percentage from 0 to 100"
	case "max-addresses":
		return "a whole number of addresses, 1 or more"
	case "seed":
		return "a whole number from 0 to 18446744073709551615"
	case "timeout":
		return "a time with its unit, from 50ms to 1m, such as 2s"
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false; the flag alone means true"
	case "stringSlice":
		return "values with commas between them, and quotes only around a whole value"
	}
	name, usage := pflag.UnquoteUsage(f)
	if name == "string" {
		return usage
	}
	return name + ", " + usage
}

// flagged names the flag in what is wrong with its value, in place of the word
// for what the value is.
func flagged(flag, word string, err error) error {
	if err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(err.Error(), word+" "); ok {
		return fmt.Errorf("%s %s", flag, rest)
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// readable reports what is wrong with the values of flags which are otherwise
// read where it is not known any more what they came from.
func readable(ports string, exclude []string) error {
	if _, err := app.ParsePorts(ports); err != nil {
		return flagged("--ports", "ports", err)
	}
	_, err := netset.ParseExclusions(exclude)
	return flagged("--exclude", "exclusion", err)
}

// knownChecks reports ids that are in no catalogue.
func knownChecks(flag string, ids []string) error {
	// What app says of the matching of versions is all there is to say.
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == app.VersionCheck })
	if len(ids) == 0 {
		return nil
	}
	_, err := dnscheck.Select(dnscheck.Catalogue(), dnscheck.Intrusive, ids, nil)
	return flagged(flag, "check", err)
}
