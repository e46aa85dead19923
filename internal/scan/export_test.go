package scan

// InSlabs makes a survey be walked in small slabs.
func InSlabs(s Survey, positions uint64) Survey {
	s.slab = positions
	return s
}
