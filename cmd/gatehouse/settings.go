package main

import (
	"net"
	"strconv"

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
	if problem := listenProblem(s.Listen); problem != "" {
		faults = append(faults, config.Fault{Key: "listen", Problem: problem})
	}
	if _, err := parseLevel(s.LogLevel); err != nil {
		faults = append(faults, config.Fault{Key: "log_level", Problem: "must be debug, info, warn or error"})
	}
	return faults
}

// listenProblem says why the site cannot listen at an address, "" if it can.
func listenProblem(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "must be an address and a port, such as 127.0.0.1:8080"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "must end in a port from 0 to 65535, such as 127.0.0.1:8080"
	}
	switch {
	case host == "":
		return "must name a loopback address, such as 127.0.0.1:" + port
	case !server.Loopback(address):
		return "must be a loopback address such as 127.0.0.1:" + port + ", because this program has well-known passwords"
	case host != "127.0.0.1" && host != "localhost":
		return "must be 127.0.0.1:" + port + " or localhost:" + port +
			", because the tenants live at http://localhost and http://127.0.0.1"
	}
	return ""
}

func load(environ []string) (settings, error) {
	var s settings
	err := config.Load(&s, environ)
	return s, err
}
