package command_test

import (
	"strings"
	"testing"

	"gatehouse/internal/command"
	"gatehouse/internal/config"
)

// settings are those of a program with a secret and a rule.
type settings struct {
	Listen string `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:80"`
	Key    string `key:"key" env:"GATEHOUSE_KEY" secret:"true" required:"true"`
}

// Validate implements config.Validator.
func (s settings) Validate() []config.Fault {
	if !strings.Contains(s.Listen, ":") {
		return []config.Fault{{Key: "listen", Problem: "must contain a port"}}
	}
	return nil
}

func TestConfigIsCheckedAndPrinted(t *testing.T) {
	p := command.Program{Name: "gate", Commands: command.Config(func(environ []string) (settings, error) {
		var s settings
		err := config.Load(&s, environ)
		return s, err
	})}
	for name, test := range map[string]struct {
		args, environ  string
		status         int
		stdout, stderr string
	}{
		"valid":   {"config validate", "GATEHOUSE_KEY=hunter2", 0, "The configuration is valid.\n", ""},
		"printed": {"config print", "GATEHOUSE_KEY=hunter2", 0, "listen: 127.0.0.1:80\nkey: '********'\n", ""},
		"every fault at once": {
			"config validate", "GATEHOUSE_LISTEN=x", 1, "",
			"gate: key: is required; GATEHOUSE_KEY or GATEHOUSE_KEY_FILE can set it\ngate: listen: must contain a port\n",
		},
		"nothing to print": {
			"config print", "GATEHOUSE_LISTEN=x", 1, "",
			"gate: key: is required; GATEHOUSE_KEY or GATEHOUSE_KEY_FILE can set it\ngate: listen: must contain a port\n",
		},
		"a misspelt variable": {
			"config validate", "GATEHOUSE_KEY=hunter2 GATEHOUSE_LISTN=hunter3", 1, "",
			"gate: GATEHOUSE_LISTN: is not a setting; did you mean GATEHOUSE_LISTEN?\n",
		},
		"arguments": {"config print key", "GATEHOUSE_KEY=hunter2", 2, "", "gate: config print takes no arguments\n"},
		"neither":   {"config", "", 2, "", "gate: command \"config\" goes on with validate or print\n"},
	} {
		var out, errs strings.Builder
		status := p.Run(t.Context(), strings.Fields(test.args), strings.Fields(test.environ), &out, &errs)
		if status != test.status || out.String() != test.stdout || errs.String() != test.stderr {
			t.Errorf("%s: status %d, stdout %q, stderr %q", name, status, out.String(), errs.String())
		}
	}
}
