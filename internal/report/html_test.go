package report_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"reconshield/internal/report"
)

// TestHTMLIsSelfContained walks every tag: balanced, no scripts, no handlers,
// nothing that is loaded, links to the web only.
func TestHTMLIsSelfContained(t *testing.T) {
	void := []string{"meta", "br", "link", "img", "input", "hr"}
	forbidden := []string{"script", "link", "img", "iframe", "object", "embed", "form", "base"}
	var stack []string
	z := html.NewTokenizer(strings.NewReader(render(t, report.HTML, rich(), report.Options{})))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				t.Fatal(z.Err())
			}
			break
		}
		tok := z.Token()
		switch kind {
		case html.StartTagToken:
			if slices.Contains(forbidden, tok.Data) {
				t.Errorf("<%s> is on the page", tok.Data)
			}
			checkAttributes(t, tok)
			if !slices.Contains(void, tok.Data) {
				stack = append(stack, tok.Data)
			}
		case html.EndTagToken:
			if len(stack) == 0 || stack[len(stack)-1] != tok.Data {
				t.Fatalf("</%s> closes %v", tok.Data, stack)
			}
			stack = stack[:len(stack)-1]
		case html.ErrorToken, html.TextToken, html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
	if len(stack) > 0 {
		t.Errorf("left open: %v", stack)
	}
}

func checkAttributes(t *testing.T, tok html.Token) {
	t.Helper()
	for _, a := range tok.Attr {
		if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" {
			t.Errorf("<%s %s=%q>", tok.Data, a.Key, a.Val)
		}
		if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "#") {
			t.Errorf("a link to %q", a.Val)
		}
	}
}

func TestHTMLShowsEverything(t *testing.T) {
	out := render(t, report.HTML, rich(), report.Options{FailOn: "high", ExitCode: 1})
	for _, want := range []string{
		"PARTIAL", "UPD-1", "Dynamic update is open to anyone", "allow-recursion { localhost; localnets; };",
		"ACCEPTS EVERY PORT", "UNPROVEN", "INTERCEPTED", "ANSWERED BY 2001:db8::54", "no collector was given",
		"192.0.2.128/25", "nothing open: 192.0.2.7", "Exit code 1: findings at or above high", "&lt;script&gt;alert(1)&lt;/script&gt;",
		`href="https://www.rfc-editor.org/rfc/rfc5358"`, "10 passed", "600 raw bytes",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
