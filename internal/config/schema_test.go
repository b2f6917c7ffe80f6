package config_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/config"
)

func TestMistakesInTagsPanic(t *testing.T) {
	for want, settings := range map[string]any{
		"has no usable key": struct{ A string }{},
		"is a secret and must be": struct {
			A string `key:"a" env:"A" secret:"true" default:"x"`
		}{},
		"must be text without": struct {
			A bool `key:"a" env:"A" secret:"true"`
		}{},
		"has a default that must be a duration": struct {
			A time.Duration `key:"a" env:"A" default:"15"`
		}{},
		"is required and needs no default": struct {
			A string `key:"a" env:"A" required:"true" default:"x"`
		}{},
		"has the type *string": struct {
			A *string `key:"a" env:"A"`
		}{},
		"is nested": struct {
			A struct{} `key:"a" env:"A"`
		}{},
		"has a twice": struct {
			A string `key:"a" env:"A"`
			B string `key:"a" env:"B"`
		}{},
		"has A_FILE twice": struct {
			A string `key:"a" env:"A" secret:"true"`
			B string `key:"b" env:"A_FILE"`
		}{},
		"has no usable variable": struct {
			A string `key:"a" env:"x-a"`
		}{},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			config.Table(settings)
		}()
	}
}
