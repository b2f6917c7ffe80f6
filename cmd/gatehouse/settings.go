package main

import (
	"gatehouse/internal/config"
	"gatehouse/internal/server"
)

// settings configure a development site. Nothing in it needs to be set.
type settings struct {
	Listen   string `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:8080" doc:"Loopback address and port to listen on; the seeded base URLs follow it."`
	DataDir  string `key:"data_dir" env:"GATEHOUSE_DATA_DIR" default:"./data" doc:"Directory for the databases, the master key and the service password."`
	LogLevel string `key:"log_level" env:"GATEHOUSE_LOG_LEVEL" default:"info" doc:"Least level that is logged: debug, info, warn or error."`
}

// Validate implements config.Validator.
func (s settings) Validate() []config.Fault {
	var faults []config.Fault
	if !server.Loopback(s.Listen) {
		faults = append(faults, config.Fault{Key: "listen", Problem: "must be a loopback address such as 127.0.0.1:8080, because this program has well-known passwords"})
	}
	if _, err := parseLevel(s.LogLevel); err != nil {
		faults = append(faults, config.Fault{Key: "log_level", Problem: "must be debug, info, warn or error"})
	}
	return faults
}

func load(environ []string) (settings, error) {
	var s settings
	err := config.Load(&s, config.FromEnviron(environ))
	return s, err
}
