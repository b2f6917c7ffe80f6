package server

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// dropNew drops every packet that asks for a new connection, as if it were
// lost on the way. Its sender tries again after a second, and is refused then,
// or meets the next program.
func dropNew(l *net.TCPListener) error {
	// The program sees the TCP header, whose 14th byte has the flags.
	program := [...]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x02, Jf: 1}, // SYN
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},                           // drop it
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},                   // take all of it
	}
	return control(l, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
}

// queued reports whether a connection waits to be accepted.
func queued(l *net.TCPListener) bool {
	var info *unix.TCPInfo
	err := control(l, func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	return err == nil && info.Unacked > 0 // of a listener: the length of its queue
}

func control(l *net.TCPListener, do func(fd int) error) error {
	socket, err := l.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach the listening socket: %w", err)
	}
	var failed error
	err = socket.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}
