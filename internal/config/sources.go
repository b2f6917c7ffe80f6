package config

import "strings"

// FileVariable is the environment variable that names the YAML file.
const FileVariable = "GATEHOUSE_CONFIG"

// FromEnviron returns the sources that an environment states: its variables,
// and the YAML file if FileVariable is among them. Variables that begin like
// ours and belong to no setting are faults.
func FromEnviron(environ []string) Sources {
	src := Sources{Prefix: "GATEHOUSE_"}
	for _, pair := range environ {
		if path, found := strings.CutPrefix(pair, FileVariable+"="); found {
			src.File = path
			continue
		}
		src.Environ = append(src.Environ, pair)
	}
	return src
}
