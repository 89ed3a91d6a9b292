package lint

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackageComments: every package says what it owns, in doc.go once it has
// more than one file.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		files := p.files(p.GoFiles)
		if len(files) == 0 {
			continue
		}
		documented := false
		for _, f := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Error(err)
				continue
			}
			documented = documented || parsed.Doc != nil && strings.HasPrefix(parsed.Doc.Text(), packageWord(p))
		}
		if !documented {
			t.Errorf("package %s has no comment that starts with %q", p.ImportPath, packageWord(p))
		}
	}
}

func packageWord(p pkg) string {
	if p.Name == "main" {
		return "Command "
	}
	return "Package " + p.Name
}

// TestRoomsDocumented: docs/architecture.md names every package, and none that
// is not there. Generated packages stand below api/mesos/v1.
func TestRoomsDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		if room := p.room(); !strings.HasPrefix(room, "api/mesos/v1/") && !strings.Contains(string(doc), "`"+room+"/`") {
			t.Errorf("docs/architecture.md has no room `%s/`", room)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z0-9/]+)/`").FindAllStringSubmatch(string(doc), -1) {
		if _, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil {
			t.Errorf("docs/architecture.md has a room that is not there: %v", err)
		}
	}
}

// TestDependenciesDocumented: each direct dependency has its line of reason.
func TestDependenciesDocumented(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "replace" {
			t.Errorf("go.mod: %s: builds must not depend on a local copy", strings.TrimSpace(line))
		}
		if len(f) < 2 || !strings.Contains(f[0], ".") || slices.Contains(f, "indirect") {
			continue
		}
		if !strings.Contains(string(doc), "`"+f[0]+"`") {
			t.Errorf("docs/dependencies.md has no line for `%s`", f[0])
		}
	}
}
