package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// process is a running process, as the kernel accounts for it.
type process struct{ pid int }

// tick is the unit of times in /proc on every Linux.
const tick = 10 * time.Millisecond

// cpu returns the CPU time that the process has spent, its own and the
// kernel's for it.
func (p process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return parseCPU(text)
}

// parseCPU reads utime and stime, fields 14 and 15 of proc_pid_stat(5). The
// second field is a name in parentheses and can hold anything.
func parseCPU(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("read CPU time: the line is too short")
	}
	user, errUser := strconv.ParseInt(string(fields[11]), 10, 64)
	system, errSystem := strconv.ParseInt(string(fields[12]), 10, 64)
	if err := errors.Join(errUser, errSystem); err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// memory returns the resident memory of the process and its highest so far,
// both in bytes.
func (p process) memory() (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	now, errNow := kilobytes(text, "VmRSS:")
	peak, errPeak := kilobytes(text, "VmHWM:")
	return now, peak, errors.Join(errNow, errPeak)
}

func kilobytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) < 2 || string(fields[0]) != name {
			continue
		}
		n, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("read memory: there is no %s", name)
}
