package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	hostsconfig "github.com/containerd/containerd/v2/core/remotes/docker/config"
	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"

	"mezzo/internal/errs"
)

// registryHosts says how each registry is reached. Files are read anew for each
// pull: they are few, and an operator who repairs one need restart nothing.
func (s *Store) registryHosts(ctx context.Context) (docker.RegistryHosts, error) {
	creds, err := s.credentials()
	if err != nil {
		return nil, err
	}
	opts := hostsconfig.HostOptions{Credentials: creds}
	if s.cfg.HostsDir != "" {
		opts.HostDir = hostsconfig.HostDirFromRoot(s.cfg.HostsDir)
	}
	return func(host string) ([]docker.RegistryHost, error) {
		opts := opts
		if slices.Contains(s.cfg.InsecureRegistries, host) {
			opts.DefaultScheme = "http"
		}
		return hostsconfig.ConfigureHosts(ctx, opts)(host)
	}, nil
}

// credentials reads the docker client's configuration. Credential helpers that
// it names are run.
func (s *Store) credentials() (func(host string) (user, secret string, err error), error) {
	cf, err := s.dockerConfig()
	if err != nil || cf == nil {
		return nil, err
	}
	return func(host string) (string, string, error) {
		if host == "registry-1.docker.io" {
			host = dockerHubKey
		}
		auth, err := cf.GetAuthConfig(host)
		switch {
		case err != nil:
			return "", "", fmt.Errorf("credentials for registry %s: %w: %w", host, err, errs.Invalid)
		case auth.IdentityToken != "":
			return "", auth.IdentityToken, nil
		default:
			return auth.Username, auth.Password, nil
		}
	}, nil
}

// dockerHubKey is what docker files the credentials of its own registry under.
const dockerHubKey = "https://index.docker.io/v1/"

func (s *Store) dockerConfig() (*configfile.ConfigFile, error) {
	if s.cfg.DockerConfig == "" {
		return nil, nil
	}
	f, err := os.Open(s.cfg.DockerConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("docker config %q: %w: %w", s.cfg.DockerConfig, err, errs.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("docker config: %w", err)
	}
	defer f.Close()
	cf, err := dockerconfig.LoadFromReader(f)
	if err != nil {
		return nil, fmt.Errorf("docker config %q: %w: %w", s.cfg.DockerConfig, err, errs.Invalid)
	}
	return cf, nil
}
