// Package daemons asks real servers, as Debian has them, what package payload
// says that UDP ports are asked. It is tests only: they run in namespaces of
// their own, which tests of the payloads themselves do not need.
package daemons
