//go:build !linux

package server

import (
	"errors"
	"net"
)

func dropNew(*net.TCPListener) error { return errors.ErrUnsupported }

func queued(*net.TCPListener) bool { return false }
