//go:build !linux

package server

import (
	"errors"
	"net"
)

func turnAway(*net.TCPListener) error { return errors.ErrUnsupported }

func queued(*net.TCPListener) bool { return false }
