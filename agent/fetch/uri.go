package fetch

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	v1 "mezzo/api/mesos/v1"
)

// kind is how a URI is fetched.
type kind int

const (
	web kind = iota
	ftpServer
	absolute // a path of this machine
	relative // a path below Config.FrameworksHome
	hadoop
)

var schemes = map[string]kind{
	"http": web, "https": web, "ftp": ftpServer, "file": absolute,
	"hdfs": hadoop, "hftp": hadoop, "s3": hadoop, "s3a": hadoop, "s3n": hadoop,
}

// uri is a CommandInfo.URI that was found good.
type uri struct {
	kind       kind
	whole      string   // as it was written
	value      string   // less its checksum
	url        *url.URL // of web and ftpServer
	path       string   // of absolute and relative
	sum        checksum
	lands      string // relative to the sandbox
	executable bool
	archive    archive // what to unpack it as
	cached     bool
}

// String is u for people, without what may be secret.
func (u uri) String() string { return redact(u.whole) }

// Check refuses what can't be fetched whatever the agent: nothing is looked up.
// Fetch says so as well, but later.
func Check(uris []*v1.CommandInfo_URI) error {
	_, err := parseAll(uris)
	return err
}

func parseAll(uris []*v1.CommandInfo_URI) ([]uri, error) {
	out := make([]uri, 0, len(uris))
	for _, in := range uris {
		u, err := parse(in)
		if err != nil {
			return nil, fmt.Errorf("uri %q: %w", redact(in.GetValue()), err)
		}
		out = append(out, u)
	}
	return out, nil
}

func parse(in *v1.CommandInfo_URI) (uri, error) {
	u := uri{whole: strings.TrimLeft(in.GetValue(), " "), executable: in.GetExecutable(), cached: in.GetCache()}
	if u.whole == "" {
		return u, invalid("it is empty")
	}
	if strings.ContainsFunc(u.whole, unicode.IsControl) {
		return u, invalid("it has a control character")
	}
	var err error
	if u.value, u.sum, err = cutChecksum(u.whole); err != nil {
		return u, err
	}
	base, err := u.locate()
	if err != nil {
		return u, err
	}
	if u.lands, err = landing(in, base); err != nil {
		return u, err
	}
	if in.GetExtract() && !u.executable {
		u.archive = archiveOf(u.lands)
	}
	return u, nil
}

// locate fills what says where u is, and returns the name that it has there.
func (u *uri) locate() (base string, err error) {
	scheme, rest, isURL := strings.Cut(u.value, "://")
	if !isURL || strings.Contains(scheme, "/") {
		u.path, u.kind = u.value, absolute
		if !path.IsAbs(u.path) {
			u.kind = relative
			if !filepath.IsLocal(u.path) {
				return "", invalid("a relative path must not lead out of its directory")
			}
		}
		return path.Base(u.path), nil
	}
	known := false
	if u.kind, known = schemes[strings.ToLower(scheme)]; !known {
		return "", unsupported("nothing here fetches %q", scheme)
	}
	switch u.kind {
	case absolute:
		// As in Mesos, a path is taken as it is written, not decoded.
		u.path = strings.TrimPrefix(rest, "localhost")
		if !path.IsAbs(u.path) {
			return "", invalid("the path of a file is not absolute")
		}
		return lastOf(u.path), nil
	case hadoop:
		return lastOf(rest), nil
	default:
		return u.parseURL()
	}
}

func (u *uri) parseURL() (base string, err error) {
	// The parser's errors repeat what they were given.
	if u.url, err = url.Parse(u.value); err != nil {
		return "", invalid("it can't be parsed")
	}
	u.url.Fragment, u.url.RawFragment = "", ""
	if u.url.Hostname() == "" {
		return "", invalid("it has no host")
	}
	if u.kind == ftpServer && strings.ContainsFunc(u.url.Path, unicode.IsControl) {
		return "", invalid("its path has a control character")
	}
	return lastOf(u.url.EscapedPath()), nil
}

// lastOf is what follows the last slash: "" if nothing names a file.
func lastOf(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// landing is where a file belongs in the sandbox.
func landing(in *v1.CommandInfo_URI, base string) (string, error) {
	if in.OutputFile == nil {
		if base == "" || base == "." || base == ".." || base == "/" {
			return "", invalid("it names no file, and output_file is not set")
		}
		return base, nil
	}
	out := in.GetOutputFile()
	switch {
	case out == "" || strings.HasSuffix(out, "/") || path.Clean(out) == ".":
		return "", invalid("output_file %q names no file", out)
	case !filepath.IsLocal(out):
		return "", invalid("output_file %q is not a path below the sandbox", out)
	case strings.ContainsFunc(out, unicode.IsControl):
		return "", invalid("output_file %q has a control character", out)
	}
	for part := range strings.SplitSeq(out, "/") {
		if part == ".." {
			return "", invalid("output_file %q has a \"..\"", out)
		}
	}
	return path.Clean(out), nil
}

// redact is s without user, query and fragment, which may be secret.
func redact(s string) string {
	scheme, _, isURL := strings.Cut(s, "://")
	if !isURL || strings.Contains(scheme, "/") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		// Whatever is in it, it may be a password.
		return scheme + "://…"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	out := shown.String()
	if u.RawQuery != "" {
		out += "?…"
	}
	return out
}
