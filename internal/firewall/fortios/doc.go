// Package fortios reads the configuration of FortiGate and writes plans as
// commands for FortiOS 6.4 and later, where one list of policies is of both
// families. It talks to no device. What it writes was checked against the
// manual, is read back and proven in the tests; no device has loaded it yet.
package fortios
