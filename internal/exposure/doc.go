// Package exposure holds the words of the product as values: targets, states,
// observations, services, check results, findings and the assessment that
// gathers them. It does no I/O, knows no storage and no presentation beyond
// the stable JSON names.
package exposure
