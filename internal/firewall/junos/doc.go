// Package junos reads the configuration of Juniper SRX, in braces or as set
// commands, and writes plans as set commands. It talks to no device. What it
// writes was checked against the manual, is read back and proven in the tests;
// no device has loaded it yet: "commit check" first, as the steps say.
package junos
