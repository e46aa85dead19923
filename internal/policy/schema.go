package policy

import (
	_ "embed" // for the schema
	"slices"
)

//go:embed policy.schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of policy files, for editors. It
// accepts whatever Parse accepts, and refuses what can be refused without
// looking elsewhere in the file.
func Schema() []byte { return slices.Clone(schema) }
