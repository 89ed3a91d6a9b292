package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"mezzo/internal/errs"
)

const maxRedirects = 10

// newTransport is the default one, with proxies as the environment says, which
// hands over content as it was stored: a .gz stays one.
func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}

// get follows redirects itself: http.Client's errors repeat URLs, and it knows
// nothing of checksums.
func (f *Fetcher) get(ctx context.Context, u uri) (stream, error) {
	at := u.url
	for range maxRedirects + 1 {
		resp, err := f.request(ctx, at)
		if err != nil {
			return stream{}, fmt.Errorf("%w: %w", err, errs.Unavailable)
		}
		switch code := resp.StatusCode; code {
		case http.StatusOK:
			return stream{webBody{resp.Body}, resp.ContentLength}, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
			http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			resp.Body.Close()
			if at, err = redirected(at, resp.Header.Get("Location"), u.sum.hash != nil); err != nil {
				return stream{}, err
			}
		default:
			resp.Body.Close()
			return stream{}, refusal(code)
		}
	}
	return stream{}, invalid("it is redirected more than %d times", maxRedirects)
}

func (f *Fetcher) request(ctx context.Context, at *url.URL) (*http.Response, error) {
	// The URL is not parsed again: that would fail with its text.
	req := (&http.Request{Method: http.MethodGet, URL: at, Host: at.Host, Header: http.Header{"User-Agent": {"mezzo"}}}).WithContext(ctx)
	if at.User != nil {
		password, _ := at.User.Password()
		req.SetBasicAuth(at.User.Username(), password)
	}
	return f.web.RoundTrip(req)
}

// redirected is where a redirect leads. Credentials stay with the host that they
// are for, and what was asked for over TLS does not go on without, unless a
// checksum tells who meddled.
func redirected(from *url.URL, location string, verified bool) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || location == "" {
		return nil, invalid("it is redirected to what is no URL")
	}
	switch {
	case to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "":
		return nil, invalid("it is redirected to what is not on the web, with scheme %q", to.Scheme)
	case from.Scheme == "https" && to.Scheme == "http" && !verified:
		return nil, invalid("it is redirected from https to http, and has no checksum")
	}
	if to.User == nil && to.Scheme == from.Scheme && to.Host == from.Host {
		to.User = from.User
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

func refusal(code int) error {
	class := errs.Invalid
	switch {
	case code == http.StatusNotFound || code == http.StatusGone:
		class = errs.NotFound
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		class = errs.Unavailable
	}
	return fmt.Errorf("the server answers %d %s: %w", code, http.StatusText(code), class)
}

// webBody gives what breaks off its class.
type webBody struct{ io.ReadCloser }

func (b webBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it broke off: %w", errs.Unavailable)
	} else if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", err, errs.Unavailable)
	}
	return n, err
}
