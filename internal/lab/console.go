//go:build linux

package lab

import (
	"io"
	"net/http"
)

// consoleKinds imitate the web consoles of DNS products that Debian does not
// package, as far as a check needs them.
func consoleKinds() []Kind {
	return []Kind{
		{
			Name: "adguard-setup", Abused: "AdGuard Home that nobody has set up: the first visitor chooses the password",
			start: web(3000, adGuard("/install.html", http.StatusFound)),
		},
		{Name: "adguard-ready", start: web(3000, adGuard("/login.html", http.StatusUnauthorized))},
		{
			Name: "technitium-default", Abused: "Technitium console with the password it comes with",
			start: web(5380, technitium("admin")),
		},
		{Name: "technitium-changed", start: web(5380, technitium("correct horse battery staple"))},
	}
}

// adGuard redirects to the page that fits its state; the API redirects too
// while there is no password, and refuses afterwards.
func adGuard(page string, api int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, page, http.StatusFound) })
	mux.HandleFunc(page, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>AdGuard Home</title>\n")
	})
	mux.HandleFunc("/control/", func(w http.ResponseWriter, _ *http.Request) {
		if api == http.StatusFound {
			w.Header().Set("Location", page)
		}
		w.WriteHeader(api)
	})
	return mux
}

// technitium has one account, admin, with the given password.
func technitium(password string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Technitium DNS Server</title>\n")
	})
	mux.HandleFunc("/api/user/login", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if r.FormValue("user") == "admin" && r.FormValue("pass") == password {
			_, _ = io.WriteString(w, `{"displayName":"Administrator","username":"admin","token":"lab","status":"ok"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"error","errorMessage":"Invalid username or password for user: admin"}`)
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"status":"invalid-token","errorMessage":"Invalid token or session expired."}`)
	})
	return mux
}
