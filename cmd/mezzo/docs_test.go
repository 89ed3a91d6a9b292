package main

// Goal: what the pages tell people to type is understood. Method: each line of README
// and docs that begins with mezzo, taken apart as a shell does, and by the command it
// is for; what the commands then do is tried in test/commands.

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var typed = regexp.MustCompile(`(?m)^ {4}(?:\$ )?(?:sudo )?(?:bin/)?mezzo (.*)$`)

func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range typed.FindAllStringSubmatch(string(text), -1) {
			lines++
			if why := understood(words(m[1])); why != "" {
				t.Errorf("%s: mezzo %s: %s", filepath.Base(page), m[1], why)
			}
		}
	}
	if lines < 20 {
		t.Errorf("%d lines were found", lines)
	}
}

// understood says what is wrong with a command line; empty if nothing.
func understood(args []string) string {
	var out bytes.Buffer
	root := rootCommand(process{args: args, stdout: &out, stderr: &out})
	c, rest, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	if c == root {
		return "names no command"
	}
	if c.DisableFlagParsing { // a daemon
		known := c.ValidArgsFunction
		names, _ := known(c, nil, "")
		for _, a := range rest {
			name, _, _ := strings.Cut(strings.TrimPrefix(a, "--no-"), "=")
			name = "--" + strings.TrimPrefix(name, "--") + "="
			ok := false
			for _, n := range names {
				ok = ok || string(n) == name
			}
			if !ok {
				return a + " is no flag of it"
			}
		}
		return ""
	}
	if err := c.ParseFlags(rest); err != nil {
		return err.Error()
	}
	if c.Args != nil {
		if err := c.Args(c, c.Flags().Args()); err != nil {
			return err.Error()
		}
	}
	return ""
}

// words takes a line apart: quotes, comments, and what stands for more.
func words(line string) (all []string) {
	var word strings.Builder
	inWord, quote := false, rune(0)
	end := func() {
		if inWord && word.String() != "…" {
			all = append(all, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			end()
			return all
		case r == ' ' || r == '\t':
			end()
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	end()
	return all
}
