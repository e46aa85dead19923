// Package kubernetes writes network policies: the networking.k8s.io/v1
// NetworkPolicy and Cilium's CiliumNetworkPolicy. Both are allow lists that hold
// for the pods with the label app set to the asset's name. It reads none, and
// talks to no cluster.
package kubernetes
