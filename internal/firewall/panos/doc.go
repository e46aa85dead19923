// Package panos writes plans as set commands for the firewalls of Palo Alto
// Networks with PAN-OS 9 and later. It loads nothing. The texts were checked
// against the manual and a reader in the tests; no device has loaded them yet:
// "validate full" first, as the steps say.
package panos
