// Package web carries the page templates and static files of the services.
// What is shown on a page is decided by its handler; internal/page renders.
package web

import "embed"

// Templates are the pages, templates/*.html. Each defines the blocks title
// and content of layout.html.
//
//go:embed templates
var Templates embed.FS

// Static are the files that pages refer to, static/*.
//
//go:embed static
var Static embed.FS
