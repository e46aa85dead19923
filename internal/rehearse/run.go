package rehearse

import "context"

// Tasks are what the program does when it has been started again; see [Main].
// Both get the input of who asked for it and give their output; what is in them
// is the program's own affair.
type Tasks struct {
	// Stage works on a stage that is built, with its rules loaded. It runs in
	// the process that [Run] starts.
	Stage func(ctx context.Context, s *Stage, input []byte) ([]byte, error)
	// Zone runs in a process that stands in a zone of a stage as a whole; see
	// [Stage.Zone].
	Zone func(ctx context.Context, input []byte) ([]byte, error)
}

// Job is a stage to be built, and the input of the task to be done on it.
type Job struct {
	Scene    Scene
	Rulesets []Ruleset
	Input    []byte
}

// Run builds a stage in a process of its own, loads the rules and does the
// task that the program named in [Main], whose output it gives. The process and
// everything on the stage are gone when Run returns, and when this process
// dies. An *UnavailableError means that this machine cannot do it, a *LoadError
// that the rules were not taken.
func Run(ctx context.Context, j Job) ([]byte, error) {
	if err := j.Scene.Check(); err != nil {
		return nil, err
	}
	return run(ctx, j)
}

// Main must be called first of all by every program that uses [Run], tests
// included. In a process that Run or a stage has started it does the task; the
// program then exits with the code. Everywhere else it does nothing and asked
// is false:
//
//	if code, asked := rehearse.Main(tasks); asked {
//		os.Exit(code)
//	}
func Main(t Tasks) (code int, asked bool) { return main(t) }
