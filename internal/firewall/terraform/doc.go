// Package terraform reads the firewall rules in what "terraform show -json"
// prints of a plan or a state: security groups and network ACLs of AWS, network
// security groups of Azure and VPC firewall rules of Google Cloud. It gives them
// to the packages aws, azure and gcp, whose limits hold here as well. It runs no
// Terraform and reads no configuration files.
//
// Of a plan, what will be there after it is applied is read. What is known only
// then makes undecided what depends on it. Rules that are resources of their own
// are joined to their group by its identifier or, as long as it has none, by the
// reference in the configuration that the plan holds.
//
// A virtual network of Azure with public addresses, or a route for them, in the
// file makes the tags VirtualNetwork and Internet undecidable (see package
// azure).
//
// Groups, lists and networks can be picked by identifier, by name, by the
// address of their resource, and by that of an instance whose groups are all in
// the file. Groups that other tools attach, and rules that others added to a
// group, are seen only where the state shows them.
package terraform
