// Package fortios writes plans as commands for FortiGate with FortiOS 6.4 and
// later, where one list of policies is of both families. It loads nothing. The
// texts were checked against the manual and a reader in the tests; no device
// has loaded them yet.
package fortios
