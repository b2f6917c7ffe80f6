// Package command is the frame of our programs: it finds the command that the
// arguments name, prints help, and turns what the command returns into output
// and an exit status. It brings the commands that all programs share, version,
// healthcheck, config validate and config print, and the handling of signals.
// What other commands do, their flags and the settings belong to the programs.
//
// Exit statuses: 0 done, 1 the command failed, 2 the arguments make no sense.
package command
