//go:build !linux

package route

func readLimits() Limits { return Limits{} }
