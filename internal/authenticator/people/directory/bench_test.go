package directory_test

import (
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/devldap"
	"gatehouse/internal/slapdtest"
)

// BenchmarkAuthenticate measures a busy sign-in. With devldap, cpu-ns/op is of
// client and server together; with slapd, of the client alone.
func BenchmarkAuthenticate(b *testing.B) {
	password := randomPassword()
	b.Run("devldap", func(b *testing.B) {
		s := startDevelopment(b, devldap.Person{Username: "ann", Password: password})
		benchmark(b, developmentConfig(s), password)
	})
	b.Run("slapd", func(b *testing.B) {
		s := slapdtest.Start(b, slapdtest.Options{People: []slapdtest.Person{{Username: "ann", Password: password}}})
		cfg := slapdConfig(s)
		b.Run("plain", func(b *testing.B) { benchmark(b, cfg, password) })
		b.Run("tls", func(b *testing.B) { benchmark(b, encrypted(cfg, s), password) })
	})
}

func benchmark(b *testing.B, cfg directory.Config, password string) {
	d := open(b, cfg)
	if _, err := d.Authenticate(b.Context(), "ann", password); err != nil {
		b.Fatal(err)
	}
	b.Run("serial", func(b *testing.B) {
		measureCPU(b, func() {
			for b.Loop() {
				if _, err := d.Authenticate(b.Context(), "ann", password); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(8)
		measureCPU(b, func() {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := d.Authenticate(b.Context(), "ann", password); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	})
}

// measureCPU reports the processor time of this process for each operation.
func measureCPU(b *testing.B, run func()) {
	b.ReportAllocs()
	before := processorTime(b)
	run()
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
