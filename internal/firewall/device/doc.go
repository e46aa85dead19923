// Package device is what the renderers of firewalls other than Linux's share:
// a plan laid out as one ordered list of rules of which the first that matches
// decides, words that are safe in any of their comments, and the refusal of
// what a format cannot express. It knows no format's syntax.
package device
