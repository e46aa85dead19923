// Package oracle makes random rulesets and packets, so that tests can hold the
// evaluator of rulesets against a real kernel. The rulesets use what the
// evaluator claims to decide, in the tools' own languages, and now and then what
// it does not. It loads nothing and judges nothing.
package oracle
