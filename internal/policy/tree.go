package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a policy file.
const (
	MaxSize   = 4 << 20 // bytes
	maxAssets = 10_000
	maxZones  = 256
	maxDepth  = 16   // of lists and maps within each other
	maxKeys   = 1024 // of one map; the YAML parser's time grows with their square
)

const oneDocument = "keep the whole policy in one"

// tree reads text as one YAML document and gives its topmost node, nil for an
// empty one. What a policy has no use for and an attacker has is refused
// before the parser sees it: anchors, aliases, merge keys, tags, directives,
// further documents, and nesting without end.
func tree(file string, text []byte) (body ast.Node, err error) {
	at := Position{File: file}
	if len(text) > MaxSize {
		return nil, Errors{{at, fmt.Sprintf("%d bytes are too many", len(text)), fmt.Sprintf("a policy may have %d", MaxSize)}}
	}
	if bad := firstBadByte(file, text); bad != nil {
		return nil, Errors{*bad}
	}
	// The library is not ours: a fault of it must not end the program.
	defer func() {
		if recover() != nil {
			body, err = nil, Errors{{at, "the YAML cannot be read", "simplify its quotes and indentation"}}
		}
	}()
	tokens := lexer.Tokenize(strings.TrimPrefix(string(text), "\ufeff"))
	if bad := refuse(file, tokens); bad != nil {
		return nil, Errors{*bad}
	}
	doc, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, Errors{syntaxError(file, err)}
	}
	for _, part := range doc.Docs {
		if part.Body == nil {
			continue
		}
		if body != nil {
			return nil, Errors{{place(file, part.Body.GetToken()), "a second document begins", oneDocument}}
		}
		body = part.Body
	}
	return body, nil
}

// firstBadByte finds what no text file has.
func firstBadByte(file string, text []byte) *Error {
	line, column := 1, 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			return &Error{Position{file, line, column}, fmt.Sprintf("byte %#02x is not UTF-8", text[i]), "save the file as UTF-8"}
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f:
			return &Error{Position{file, line, column}, fmt.Sprintf("control character %#02x", r), "remove it"}
		case r == '\n':
			line, column = line+1, 0
		}
		i += size
	}
	return nil
}

func syntaxError(file string, err error) Error {
	if known, ok := errors.AsType[yaml.Error](err); ok {
		return Error{place(file, known.GetToken()), oneLine(known.GetMessage()), "check indentation, quotes and brackets"}
	}
	return Error{Position{File: file}, oneLine(err.Error()), ""}
}

func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return "not YAML: " + strings.Trim(quoted(text), `"`)
}

func place(file string, t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{File: file}
	}
	return Position{file, t.Position.Line, t.Position.Column}
}

// level is an open list or map.
type level struct {
	column int // of its keys or dashes; 0 inside brackets
	keys   int
	dashes bool
}

// nesting follows how deep the tokens go, without recursion.
type nesting struct {
	open  []level
	flows int // how many of the open levels are brackets
}

// refuse finds the first token that a policy must not have.
func refuse(file string, tokens token.Tokens) *Error {
	var n nesting
	var last *token.Token
	for _, t := range tokens {
		if word := useless(t); word != "" {
			return &Error{place(file, t), word + " are not part of a policy", "write the value itself"}
		}
		if t.Type == token.CommentType {
			continue
		}
		if t.Type == token.DocumentHeaderType && last != nil {
			return &Error{place(file, t), "a second document begins", oneDocument}
		}
		n.follow(t, last)
		last = t
		if len(n.open) > maxDepth {
			return &Error{place(file, t), fmt.Sprintf("more than %d lists and maps within each other", maxDepth), "a policy is at most five deep"}
		}
		if k := len(n.open); k > 0 && n.open[k-1].keys > maxKeys {
			return &Error{place(file, t), fmt.Sprintf("more than %d keys in one map", maxKeys), ""}
		}
	}
	return nil
}

// useless names the kind of a token that has no place in a policy.
func useless(t *token.Token) string {
	switch t.Type {
	case token.AnchorType:
		return "anchors (&)"
	case token.AliasType:
		return "aliases (*)"
	case token.MergeKeyType:
		return "merge keys (<<)"
	case token.TagType:
		return "tags (!)"
	case token.DirectiveType:
		return "directives (%)"
	case token.MappingKeyType:
		return "compound keys (?)"
	default:
		return ""
	}
}

func (n *nesting) follow(t, last *token.Token) {
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.open = append(n.open, level{})
		n.flows++
	case token.SequenceEndType, token.MappingEndType:
		if n.flows > 0 {
			n.open = n.open[:len(n.open)-1]
			n.flows--
		}
	case token.SequenceEntryType:
		if n.flows == 0 {
			n.block(t.Position.Column, true)
		}
	case token.MappingValueType:
		if n.flows > 0 {
			n.open[len(n.open)-1].keys++
		} else if last != nil {
			n.block(last.Position.Column, false)
		}
	default:
	}
}

// block enters, continues or returns to the block list or map of a column. A
// list may stand in the column of the key that holds it.
func (n *nesting) block(column int, dashes bool) {
	k := len(n.open)
	for k > 0 && (n.open[k-1].column > column || n.open[k-1].column == column && n.open[k-1].dashes && !dashes) {
		k--
	}
	n.open = n.open[:k]
	if k == 0 || n.open[k-1].column < column || n.open[k-1].dashes != dashes {
		n.open = append(n.open, level{column: column, dashes: dashes})
		k++
	}
	if !dashes {
		n.open[k-1].keys++
	}
}
