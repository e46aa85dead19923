// Package asa reads the running configuration of Cisco ASA and writes plans as
// access lists with their groups of objects. It talks to no device. What it
// writes is read back and proven in the tests; no device has loaded it yet.
package asa
