// Package junos writes plans as set commands for Juniper SRX. It loads nothing.
// The texts were checked against the manual and a reader in the tests; no
// device has loaded them yet: "commit check" first, as the steps say.
package junos
