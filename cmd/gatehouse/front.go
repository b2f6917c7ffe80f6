package main

import (
	"net/http"
	"net/url"

	"gatehouse/internal/server"
)

// localOnly refuses what was meant for another host: a website could have its
// own name resolve to this machine and read a site with well-known passwords.
func localOnly(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := (&url.URL{Host: r.Host}).Hostname(); !server.LoopbackName(host) {
			http.Error(w, "This development site answers at localhost, 127.0.0.1 and names that end in .localhost only.",
				http.StatusMisdirectedRequest)
			return
		}
		site.ServeHTTP(w, r)
	})
}
