// Package gcp reads and writes the firewall rules of Google Cloud VPC networks.
// It reads what "gcloud compute firewall-rules list --format=json" prints, and
// asks no cloud for anything.
//
// Rules are judged in the order of their priority, those that deny before those
// that allow when it is the same; what comes in and no rule allows is denied.
//
// Google Cloud judges the internal address of the asset. Where a rule names
// destinations and the question is about a public address, it cannot be decided
// whether the rule is meant. Which addresses have a source tag or a source
// service account is not in the file and cannot be decided either.
//
// Limits of the reader: only ingress rules are read. Firewall policies of the
// organisation, of folders and of networks, which come before or after these
// rules and can overrule them, are not in the file; nor are load balancers,
// which bring packets from addresses of their own.
package gcp
