package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"

	"github.com/jlaffaye/ftp"

	"mezzo/internal/errs"
)

// maxReplies bounds what a server may say before it sends: lines are kept whole.
const maxReplies = 1 << 20

// retrieve gets u from its server, in passive mode.
func retrieve(ctx context.Context, u uri) (stream, error) {
	addr := net.JoinHostPort(u.url.Hostname(), u.url.Port())
	if u.url.Port() == "" {
		addr = net.JoinHostPort(u.url.Hostname(), "21")
	}
	var replies bool
	c, err := ftp.Dial(addr, ftp.DialWithDialFunc(func(network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() })
		if !replies { // the first connection is the one for commands
			replies = true
			return &talk{Conn: conn, left: maxReplies}, nil
		}
		return conn, nil
	}))
	if err != nil {
		return stream{}, ftpError(err)
	}
	user, password := "anonymous", "anonymous"
	if u.url.User != nil {
		user = u.url.User.Username()
		password, _ = u.url.User.Password()
	}
	// As RFC 1738 has it, a path begins where the user does, unless with "%2F".
	path := strings.TrimPrefix(u.url.Path, "/")
	s, err := func() (stream, error) {
		if err := c.Login(user, password); err != nil {
			return stream{}, err
		}
		size, err := c.FileSize(path)
		if err != nil {
			size = -1 // not every server tells
		}
		r, err := c.Retr(path)
		return stream{&ftpBody{r, c}, size}, err
	}()
	if err != nil {
		_ = c.Quit()
		return stream{}, ftpError(err)
	}
	return s, nil
}

// talk reads so much and no more.
type talk struct {
	net.Conn
	left int
}

func (t *talk) Read(p []byte) (int, error) {
	if t.left <= 0 {
		return 0, errors.New("the server talks too much")
	}
	n, err := t.Conn.Read(p[:min(len(p), t.left)])
	t.left -= n
	return n, err
}

// ftpBody ends the session with the content.
type ftpBody struct {
	io.ReadCloser
	c *ftp.ServerConn
}

func (b *ftpBody) Close() error {
	err := b.ReadCloser.Close()
	_ = b.c.Quit()
	return ftpError(err)
}

// ftpError keeps the server's code alone: its text may repeat the password.
func ftpError(err error) error {
	if err == nil {
		return nil
	}
	var reply *textproto.Error
	var broken net.Error
	class := errs.Invalid
	switch {
	case errors.As(err, &broken) || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", err, errs.Unavailable)
	case !errors.As(err, &reply):
		return fmt.Errorf("the server does not answer as one of ftp: %w", errs.Unavailable)
	case reply.Code == ftp.StatusFileUnavailable:
		class = errs.NotFound
	case reply.Code < 500:
		class = errs.Unavailable
	}
	return fmt.Errorf("the server answers %d %s: %w", reply.Code, ftp.StatusText(reply.Code), class)
}
