package app

import (
	"context"
	"errors"

	"reconshield/internal/report"
	"reconshield/internal/report/atlassite"
)

// AtlasExport says where the reference goes as a web site.
type AtlasExport struct {
	Dir      string
	BaseURL  string // where the site is going to be; may be empty
	Version  string
	Force    bool // also among files that no export wrote; they stay
	Progress report.Progress
}

// ExportAtlas writes the reference as a static web site. A *FailureError means
// that it could not be written; other errors are the user's to mend. Both are
// one line.
func ExportAtlas(ctx context.Context, known *Reference, o AtlasExport) (atlassite.Summary, error) {
	c := atlassite.Content{Atlas: known.Atlas, Knowledge: known.Knowledge, Version: o.Version}
	if o.BaseURL != "" {
		base, err := atlassite.ParseBaseURL(o.BaseURL)
		if err != nil {
			return atlassite.Summary{}, err
		}
		c.BaseURL = base
	}
	sum, err := atlassite.Export(ctx, c, atlassite.Options{Dir: o.Dir, Force: o.Force, Progress: o.Progress})
	if _, ok := errors.AsType[*atlassite.PlaceError](err); ok || err == nil {
		return sum, err
	}
	return sum, &FailureError{Err: err}
}
