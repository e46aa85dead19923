// Package firewall holds the rule models and decides what they do: a Ruleset as
// dialects read it, an Evaluator that answers exactly which packets it lets
// through, the Plan that formats render, and the Closure that shuts single
// ports. Dialects and formats live in the packages below. It reads no files and
// loads nothing.
package firewall
